"""A line of the preflight sheet: how it is declared, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from core.runs.preflight.seen import BeforeStart

CheckResult = Literal["ok", "warn", "stop", "wait"]
"""`wait`: the answer is on its way; only found by callers that do not wait for it."""

SheetGroup = Literal["recipe", "data", "model", "run", "machine"]
"""The headings of the sheet, in its order."""


@dataclass(frozen=True, slots=True)
class PreflightFinding:
    """What a line has found.

    Attributes:
        verdict: `stop` keeps the run from starting.
        sentence: what was found, and what to do.
        path: the field to change, or "".
        brief: what is wrong in two or three words, for the field's row; may be "".
    """

    verdict: CheckResult
    sentence: str
    path: str = ""
    brief: str = ""


def ok(sentence: str, path: str = "", brief: str = "") -> PreflightFinding:
    """Nothing is wrong."""
    return PreflightFinding("ok", sentence, path, brief)


def warn(sentence: str, path: str = "", brief: str = "") -> PreflightFinding:
    """The run can start, but may not do what the user wants."""
    return PreflightFinding("warn", sentence, path, brief)


def stop(sentence: str, path: str = "", brief: str = "") -> PreflightFinding:
    """The run cannot start."""
    return PreflightFinding("stop", sentence, path, brief)


def wait(sentence: str, path: str = "", brief: str = "") -> PreflightFinding:
    """The answer is on its way; only where `BeforeStart.wait` is False."""
    return PreflightFinding("wait", sentence, path, brief)


@dataclass(frozen=True, slots=True)
class PreflightLine:
    """A declaration: one row of `core.runs.preflight.table.LINES`.

    Attributes:
        name: what is checked, one or two words; the `topic` of `tunedeck preflight --json`.
        group: the heading of the sheet that it is under.
        meaning: what is checked, a sentence for the docs and the sheet's help.
        check: what it finds, none or several; reads files and asks the driver, in milliseconds where
            `BeforeStart.wait` is False. Anything slower is asked through `core.runs.preflight.slow`.
    """

    name: str
    group: SheetGroup
    meaning: str
    check: Callable[[BeforeStart], Iterable[PreflightFinding]]


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """A finding under the name of its line.

    Attributes:
        name: of the line.
        verdict: as of the finding.
        sentence: likewise.
        path: likewise.
        brief: likewise.
    """

    name: str
    verdict: CheckResult
    sentence: str
    path: str = ""
    brief: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line of `tunedeck preflight --json`; `fields` are those of the recipe that it is about."""
        fields = [self.path] if self.path else []
        return {"level": self.verdict, "topic": self.name, "sentence": self.sentence, "fields": fields}
