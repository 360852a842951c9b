"""What a user decided on rows: single decisions, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Action = Literal["keep", "drop", "edit", "note", "flag", "undo"]
ACTIONS: tuple[Action, ...] = ("keep", "drop", "edit", "note", "flag", "undo")

_BETWEEN = "~"


def pair_key(first: str, second: str) -> str:
    """The key of decisions on two rows together: `keep` says that they are not duplicates, `undo` takes that back.

    Args:
        first: the key of a row.
        second: the key of another; their order does not matter.
    """
    return _BETWEEN.join(sorted((first, second)))


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the append-only table.

    Attributes:
        id: its number in the workspace, ascending.
        key: the row's key, or that of a pair of rows (`pair_key`).
        action: what was done; `undo` takes back the last decision on the row that still stands.
        payload: `{"sample": ...}` of an edit, `{"text": ...}` of a note or flag, and of a drop that has a reason.
        user: who.
        host: where.
        time: when, unix seconds.
    """

    id: int
    key: str
    action: Action
    payload: Mapping[str, Any]
    user: str
    host: str
    time: float


@dataclass(frozen=True, slots=True)
class DecisionState:
    """What the decisions on one row come to.

    Attributes:
        verdict: `keep`, `drop`, or "" while it is open. An edit is a keep.
        edit: the edited sample (`Sample.to_json`), or None.
        note: the last note.
        flag: the user's own flag.
        why: the reason that a drop was decided with, or "".
    """

    verdict: Literal["keep", "drop", ""] = ""
    edit: Mapping[str, Any] | None = None
    note: str = ""
    flag: str = ""
    why: str = ""


OPEN = DecisionState()


@dataclass(slots=True)
class Ledger:
    """Decisions folded into standings, in the order of their ids.

    Attributes:
        revision: id of the last decision taken in, 0 for none.
    """

    revision: int = 0
    _standing: dict[str, list[DecisionState]] = field(default_factory=dict)

    def take(self, decisions: Iterable[Decision]) -> None:
        """Takes in further decisions, ascending by id; those known already are passed over."""
        for decision in decisions:
            if decision.id <= self.revision:
                continue
            self.revision = decision.id
            states = self._standing.setdefault(decision.key, [])
            if decision.action == "undo":
                if states:
                    states.pop()
            else:
                states.append(_after(states[-1] if states else OPEN, decision))

    def standing(self, key: str) -> DecisionState:
        """The state of a row; `OPEN` where nothing was decided."""
        states = self._standing.get(key)
        return states[-1] if states else OPEN

    def standings(self) -> dict[str, DecisionState]:
        """Every row on which something was decided."""
        return {key: states[-1] for key, states in self._standing.items() if states and _BETWEEN not in key}

    def apart(self) -> frozenset[tuple[str, str]]:
        """The pairs of row keys that the user has marked as not duplicates, see `pair_key`."""
        pairs = (
            key.split(_BETWEEN)
            for key, states in self._standing.items()
            if _BETWEEN in key and states and states[-1].verdict == "keep"
        )
        return frozenset((first, second) for first, second in pairs)


def _after(before: DecisionState, decision: Decision) -> DecisionState:
    text = str(decision.payload.get("text", ""))
    match decision.action:
        case "keep":
            return replace(before, verdict="keep", why="")
        case "drop":
            return replace(before, verdict="drop", why=text)
        case "edit":
            return replace(before, verdict="keep", edit=decision.payload.get("sample"), why="")
        case "note":
            return replace(before, note=text)
        case _:
            return replace(before, flag=text)
