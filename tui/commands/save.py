"""Write a checkpoint of a run now. The run keeps running."""

from __future__ import annotations

import argparse

from tui.commands.ask import add_wait_arguments, ask_and_wait
from tui.commands.which_run import add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    add_wait_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and wait until it is written."""
    return ask_and_wait(which_run(arguments), "save", arguments)
