"""The command `tunedeck`: opens the app, or does the same headless. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS: dict[str, str] = {
    "scan": "look a data set over: format, bad lines, flags",
    "overview": "what the curated data are made of: split, sources, answers, kinds of input, tokens",
    "export-data": "write the curated data as JSONL, Parquet, or as hosted services take them",
    "train": "train a recipe in a detached run and show its progress",
    "queue": "list the queue; add, move, remove, hold back runs",
    "runs": "list the runs of this workspace",
    "attach": "open the live screen of a run",
    "tail": "print what a run reports, as it reports it",
    "stop": "ask a run to save and end",
    "pause": "let a run hold still, or save and free its memory",
    "resume": "go on with a paused run, or with one that has ended",
    "save": "ask a run for a checkpoint now",
    "trust": "allow a workspace that was copied here, or what a recipe runs",
    "demo": "the whole walk on the sample data",
    "doctor": "say what this installation and this machine can do",
}
"""The headless commands: name and what each does.

`tui/commands/<name>.py`, with `_` for `-`, holds `add_arguments` and `run`.
"""

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_STOPPED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

_USAGE = """tunedeck: fine-tune language models in the terminal

  tunedeck [FILE ...]            open the app, on a data set if one is named
  tunedeck --recipe RECIPE.yaml  open the app with this recipe filled in
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 finished, 1 failed, 2 bad input, 3 stopped, 130 watching was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not _in_a_folder():
        print("tunedeck: The folder that you are in was deleted. Go to another one with `cd`.", file=sys.stderr)
        return EXIT_BAD_INPUT
    if words and words[0] in COMMANDS:
        return _headless(words[0], words[1:])
    if words and words[0] in ("-h", "--help", "help"):
        return _usage()
    if words and words[0] in ("-V", "--version"):
        from core import __version__

        print(f"tunedeck {__version__}")
        return EXIT_OK
    from tui.commands.open import open_app

    return open_app(words)


def _usage() -> int:
    print(_USAGE)
    for name, purpose in COMMANDS.items():
        print(f"  tunedeck {name.ljust(11)} {purpose}")
    print("\n`tunedeck COMMAND --help` says more; in the app, F1 does.")
    return EXIT_OK


def _headless(name: str, words: list[str]) -> int:
    import argparse

    from core.errors import BadInput, TunedeckError

    module = import_module(f"tui.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"tunedeck {name}", description=module.__doc__)
    module.add_arguments(parser)
    arguments = parser.parse_args(words)
    as_json = bool(vars(arguments).get("json"))
    try:
        code: int = module.run(arguments)
    except BadInput as error:
        return complain(error, EXIT_BAD_INPUT, as_json=as_json)
    except TunedeckError as error:
        return complain(error, EXIT_FAILED, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has left (`tunedeck tail | head`): no traceback, and no second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:  # a disk that is read-only, full or not ours, wherever it was met
        fault = TunedeckError(error.strerror or str(error), where=str(error.filename or ""))
        return complain(fault, EXIT_FAILED, as_json=as_json)
    return code


def complain(error: Exception, code: int, *, as_json: bool = False) -> int:
    """Print an error's sentence on standard error, cleaned, and return the exit code.

    Args:
        error: the error.
        code: the exit code.
        as_json: also print `{"error": sentence, "exit_code": code}` on standard output, for who reads JSON there.
    """
    from core.clean import clean

    print(f"tunedeck: {clean(str(error))}", file=sys.stderr)
    if as_json:
        from tui.commands.output import json_text

        print(json_text({"error": str(error), "exit_code": code}), flush=True)
    return code


def _in_a_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
