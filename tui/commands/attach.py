"""Open the live screen of a run: charts, GPUs, log, verdict.

Leaving the screen does not stop the run.
"""

from __future__ import annotations

import argparse

from tui.commands.open import add_screen_options
from tui.commands.which_run import add_run_argument, which_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_argument(parser)
    parser.add_argument("--json", action="store_true", help="Do not open the screen; print what `tail --json` prints.")
    add_screen_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Open the app on the run, or follow it without a screen."""
    if arguments.json:
        from tui.commands import tail

        return tail.run(argparse.Namespace(**vars(arguments), once=False, log=False))
    from tui.commands.open import run_app

    return run_app(
        [],
        run=which_run(arguments).path,
        theme=arguments.theme,
        low_bandwidth=arguments.low_bandwidth,
        mouse=not arguments.no_mouse,
    )
