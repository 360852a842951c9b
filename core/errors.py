"""Errors for the person at the keyboard: what is wrong, where, and what to do about it."""

from __future__ import annotations


class TunedeckError(Exception):
    """A fault that the user can act on; its text is a full sentence, shown as it is.

    Attributes:
        what: what is wrong, without a full stop at the end.
        where: file, line or field, or "" where `what` says it already.
        do: what to do about it, or "".
    """

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.do = do
        super().__init__(what, where, do)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" {_sentence(self.do)}" if self.do else ""
        return f"{place}{_sentence(self.what)}{remedy}"


def _sentence(text: str) -> str:
    """The text with a full stop, unless it is a question or ends in a command to copy (`Open it with: tunedeck x`)."""
    text = text.rstrip(".")
    return text if text.endswith("?") or ": tunedeck " in text else f"{text}."


class BadInput(TunedeckError):
    """What the user gave cannot be used: a file, a folder, a recipe field. Exit code 2."""


class JobFailed(TunedeckError):
    """A detached job ended without success. Exit code 1."""
