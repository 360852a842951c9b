"""Paths of what is inside a file: `tickets.xlsx:Sheet2`, `data.zip:train.jsonl`."""

from __future__ import annotations

from pathlib import Path


def split_inside(path: Path) -> tuple[Path, str]:
    """The file, and the name of what is meant inside it; "" where the path is a file or folder, or nothing at all."""
    text = str(path)
    if ":" not in text or path.exists():
        return path, ""
    for at, letter in enumerate(text):
        if letter == ":" and (file := Path(text[:at]).expanduser()).is_file():
            return file, text[at + 1 :]
    return path, ""


def is_inside(path: Path) -> bool:
    """Whether a path names something inside a file."""
    return bool(split_inside(path)[1])
