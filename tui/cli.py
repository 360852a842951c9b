"""The command `tunedeck`: opens the app, or does the same headless. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from tui.commands.exit_codes import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_READER_GONE
from tui.commands.output import complain
from tui.commands.table import COMMANDS
from tui.commands.tree import parser, program
from tui.terminal.codeset import set_up_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        An exit code of `tui.commands.exit_codes`.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # its descriptor was closed before the start
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    set_up_streams()
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:  # what is still buffered can fail here, but not while the interpreter exits
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
        print("tunedeck: The current folder was deleted. Change to another one with `cd`.", file=sys.stderr)
        return EXIT_BAD_INPUT
    if words[:1] == ["help"]:
        words = [*(word for word in words[1:2] if word in COMMANDS), "--help"]
    return _headless(words) if words and words[0] in COMMANDS else _app(words)


def _app(words: list[str]) -> int:
    from core.errors import BadInput
    from tui.commands import open as opening

    try:
        found = program()
        opening.add_files(found)
        found.refuse_unknown_options(words)
        return opening.run(found.parse_args(words))
    except BadInput as error:
        return complain(error, EXIT_BAD_INPUT)


def _headless(words: list[str]) -> int:
    from core.errors import BadInput, TunedeckError

    as_json = "--json" in words
    try:
        found = parser(words[0])
        command = found.command(words[0])
        command.refuse_unknown_options(words[1:])
        arguments = found.parse_args(words)
        as_json = bool(vars(arguments).get("json"))
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
