"""What importing a room loads: the app starts fast because it loads little, and the core needs no terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "numpy", "polars", "pyarrow", "pandas")
PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules_after(name: str) -> set[str]:
    """The top-level modules that are loaded once `name` has been imported in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", PROBE, name], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", ["tui.app", "tui.cli", "tui.commands.open", "tui.data.screen"])
def test_the_app_loads_nothing_heavy(name: str) -> None:
    assert modules_after(name).isdisjoint(HEAVY)


def core_modules() -> list[str]:
    """Every module of the core that the app may import."""
    floors = ("gpu", "jobs", "dataset", "recipe", "runs", "verdict")
    files = [path for floor in floors for path in sorted((ROOT / "core" / floor).rglob("*.py"))]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]


def test_no_module_of_the_core_needs_the_terminal_or_torch() -> None:
    probe = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    names = [name for name in core_modules() if not name.endswith("__main__")]
    assert len(names) > 20
    done = subprocess.run([sys.executable, "-c", probe, *names], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(json.loads(done.stdout)).isdisjoint({"textual", "rich", *HEAVY})
