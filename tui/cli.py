"""The command `tunedeck`: opens the app, or does the same headless. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from tui.commands.output import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_READER_GONE,
    complain,
)
from tui.terminal.codeset import set_up_streams

if TYPE_CHECKING:
    import argparse

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

_USAGE = """tunedeck: fine-tune language models in the terminal

  tunedeck [FILE ...]            open the app, on a data set if one is named
  tunedeck --recipe RECIPE.yaml  open the app with this recipe filled in
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 finished, 1 failed, 2 bad input, 3 stopped, 130 watching was interrupted, 141 nobody reads
        the output any more.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # its descriptor was closed before the start
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    set_up_streams()
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:  # an error of what is still buffered can be handled here, but not while the interpreter exits
            sys.stdout.flush()
            sys.stderr.flush()
    except OSError as error:
        gone = [stream for stream in (sys.stdout, sys.stderr) if _reader_is_gone(stream)]
        for stream in gone or [sys.stdout]:
            _drop_output(stream)
        if gone and isinstance(error, BrokenPipeError):
            return EXIT_READER_GONE
        return complain(_as_sentence(error), EXIT_FAILED)


def _run(words: list[str]) -> int:
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


def parser(name: str = "") -> argparse.ArgumentParser:
    """The one parser of the headless commands.

    Args:
        name: the only command whose arguments are declared, since each module costs its import; "" for all of them.
    """
    import argparse

    found = argparse.ArgumentParser(prog="tunedeck", description="Fine-tune language models in the terminal.")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each, purpose in COMMANDS.items():
        module = import_module(f"tui.commands.{each.replace('-', '_')}") if name in ("", each) else None
        command = commands.add_parser(each, help=purpose, description=module.__doc__ if module else purpose)
        if module is not None:
            module.add_arguments(command)
            command.set_defaults(handler=module.run)
    return found


def _headless(name: str, words: list[str]) -> int:
    from core.errors import BadInput, TunedeckError

    arguments = parser(name).parse_args([name, *words])
    as_json = bool(vars(arguments).get("json"))
    try:
        code: int = arguments.handler(arguments)
    except BadInput as error:
        return complain(error, EXIT_BAD_INPUT, as_json=as_json)
    except TunedeckError as error:
        return complain(error, EXIT_FAILED, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:  # a disk that is read-only, full or not ours, wherever it was met
        if _is_of_output():
            raise
        return complain(_as_sentence(error), EXIT_FAILED, as_json=as_json)
    return code


def _as_sentence(error: OSError) -> Exception:
    from core.errors import TunedeckError

    return TunedeckError(error.strerror or str(error), where=str(error.filename or ""))


def _drop_output(stream: TextIO) -> None:
    """What is still buffered, or printed later, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):  # it is no file
        pass
    os.close(nowhere)


def _is_of_output() -> bool:
    """Whether the error that was met is that standard output or standard error cannot be written."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return True
    return _reader_is_gone(sys.stdout) or _reader_is_gone(sys.stderr)


def _reader_is_gone(stream: TextIO) -> bool:
    import select

    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it is no file
        return False
    poller = select.poll()
    poller.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(0))


def _in_a_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
