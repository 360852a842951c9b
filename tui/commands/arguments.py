"""Options that commands on a recipe share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_set_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--set`, which changes fields of the recipe."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="Change a field, such as lora.rank=32; can be repeated.",
    )


def add_workspace_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--workspace`, the folder that holds `runs/`."""
    parser.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="Folder for `runs/` (default: the current one).",
    )
