"""The exit codes of every command, in one table: `--help`, the README and the tests read it here."""

from __future__ import annotations

from collections.abc import Mapping

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_STOPPED = 0, 1, 2, 3
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as a shell reports a program that ctrl+c ended."""
EXIT_READER_GONE = 141
"""128 + SIGPIPE, as a shell reports it for `git log | head`."""

EXIT_CODES: Mapping[int, str] = {
    EXIT_OK: "finished",
    EXIT_FAILED: "failed",
    EXIT_BAD_INPUT: "bad input: an option, a file, a recipe or a run that cannot be used",
    EXIT_STOPPED: "stopped: the run was stopped before its last step",
    EXIT_INTERRUPTED: "interrupted with ctrl+c; the run keeps running",
    EXIT_READER_GONE: "output closed early, as in `tunedeck runs | head`",
}
"""Each exit code with its meaning."""

STATE_CODES: Mapping[str, int] = {
    "finished": EXIT_OK,
    "failed": EXIT_FAILED,
    "lost": EXIT_FAILED,
    "stopped": EXIT_STOPPED,
}
"""The exit code of a command that waits for a run, by the state that the run ended in."""
