"""One thing that `tunedeck doctor` has found, with the line that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DoctorLevel = Literal["problem", "note"]


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """Something that is wrong, or worth knowing.

    Attributes:
        level: a `problem` keeps something from working, a `note` is worth knowing.
        area: what it is about: `installation`, `workspace`, `gpu`, `hub`, `terminal`.
        message: one or two sentences.
        fix: the command that mends it, to be copied; "" where there is none.
    """

    level: DoctorLevel
    area: str
    message: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `doctor --json` lists it."""
        return {"level": self.level, "area": self.area, "message": self.message, "fix": self.fix}
