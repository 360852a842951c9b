"""Rebuilds the sample data and the tiny base model: `python -m sample_data.build`, about four minutes."""

from __future__ import annotations

from pathlib import Path

from sample_data import build_base, build_hostile, build_recipe, build_support


def main() -> None:
    """Writes every generated file of this folder in place."""
    folder = Path(__file__).resolve().parent
    build_support.build(folder)
    build_hostile.build(folder)
    build_base.build(folder / "tiny_base")
    build_recipe.build(folder)


if __name__ == "__main__":
    main()
