"""What reviewers decided on rows: single decisions, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Action = Literal["keep", "drop", "edit", "note", "flag", "rate", "label", "undo"]
ACTIONS: tuple[Action, ...] = ("keep", "drop", "edit", "note", "flag", "rate", "label", "undo")

RowVerdict = Literal["keep", "drop", ""]

RATINGS = range(1, 6)
"""The ratings that a row can have."""

_BETWEEN = "~"
_VERDICTS: Mapping[str, RowVerdict] = {"keep": "keep", "edit": "keep", "drop": "drop"}
"""The actions that decide about a row, and what they decide: an edit is a keep."""


def pair_key(first: str, second: str) -> str:
    """The key of decisions on two rows together: `keep` says that they are not duplicates, `undo` takes that back.

    Args:
        first: the key of a row.
        second: the key of another; their order does not matter.
    """
    return _BETWEEN.join(sorted((first, second)))


def is_pair(key: str) -> bool:
    """Whether a key is that of a pair of rows."""
    return _BETWEEN in key


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the append-only table.

    Attributes:
        id: its number in the workspace, ascending.
        key: the row's key, or that of a pair of rows (`pair_key`).
        action: what was done; `undo` takes back the decision that its payload names (`{"of": id}`), or else the last
            one on the row that still stands.
        payload: `{"sample": ...}` of an edit, `{"text": ...}` of a note or flag, and of a drop that has a reason,
            `{"rating": 1-5}` (0 clears it), `{"labels": [...]}`. A verdict has `"blind": true` if its reviewer did not
            see those of others, and `"stands": false` if it only counts as a second opinion.
        user: who.
        host: where.
        time: when, unix seconds.
        batch: id of the first of the decisions that one key made and one undo takes back; 0 for its own id.
    """

    id: int
    key: str
    action: Action
    payload: Mapping[str, Any]
    user: str
    host: str
    time: float
    batch: int = 0

    @property
    def step(self) -> int:
        """The id that all decisions of one key share."""
        return self.batch or self.id


@dataclass(frozen=True, slots=True)
class DecisionState:
    """What the decisions on one row come to.

    Attributes:
        verdict: `keep`, `drop`, or "" while it is open. An edit is a keep.
        edit: the edited sample (`Sample.to_json`), or None.
        note: the last note.
        flag: the user's own flag.
        why: the reason that a drop was decided with, or "".
        rating: 1 to 5, 0 for none.
        labels: the user's own labels.
        verdicts: each reviewer's own verdict, by name.
        blind: whether some reviewer decided without seeing the verdicts of others.
        conflict: whether reviewers decided differently and nobody has settled it since.
        users: who has decided or noted anything about the row.
    """

    verdict: RowVerdict = ""
    edit: Mapping[str, Any] | None = None
    note: str = ""
    flag: str = ""
    why: str = ""
    rating: int = 0
    labels: tuple[str, ...] = ()
    verdicts: tuple[tuple[str, RowVerdict], ...] = field(default=(), compare=False)
    blind: bool = field(default=False, compare=False)
    conflict: bool = field(default=False, compare=False)
    users: tuple[str, ...] = field(default=(), compare=False)

    def verdict_of(self, user: str) -> RowVerdict:
        """A reviewer's last verdict, or ""."""
        return next((verdict for name, verdict in self.verdicts if name == user), "")


OPEN = DecisionState()


@dataclass(frozen=True, slots=True)
class _Made:
    """What is kept of a decision that stands."""

    id: int
    action: Action
    payload: Mapping[str, Any]
    user: str


@dataclass(slots=True)
class Ledger:
    """Decisions folded into standings, in the order of their ids.

    Attributes:
        revision: id of the last decision taken in, 0 for none.
    """

    revision: int = 0
    _made: dict[str, list[_Made]] = field(default_factory=dict)
    _standing: dict[str, DecisionState] = field(default_factory=dict)
    _plain: dict[tuple[str, str], DecisionState] = field(default_factory=dict)
    """States of rows with one keep or drop and nothing else, shared: most rows are decided once."""

    def take(self, decisions: Iterable[Decision]) -> None:
        """Takes in further decisions, ascending by id; those known already are passed over."""
        for decision in decisions:
            if decision.id <= self.revision:
                continue
            self.revision = decision.id
            key = decision.key
            made = self._made.setdefault(key, [])
            if decision.action == "undo":
                self._undo(key, made, decision.payload.get("of"))
            else:
                made.append(_Made(decision.id, decision.action, decision.payload, decision.user))
                self._standing[key] = self._next(self._standing.get(key, OPEN), made[-1])

    def _undo(self, key: str, made: list[_Made], of: object) -> None:
        place = len(made) - 1 if of is None else next((at for at, each in enumerate(made) if each.id == of), -1)
        if place < 0:
            return
        del made[place]
        state = OPEN
        for each in made:
            state = self._next(state, each)
        if made:
            self._standing[key] = state
        else:
            self._standing.pop(key, None)

    def _next(self, before: DecisionState, made: _Made) -> DecisionState:
        if before is not OPEN or made.payload or made.action not in ("keep", "drop"):
            return _after(before, made)
        name = (made.action, made.user)
        if name not in self._plain:
            self._plain[name] = _after(before, made)
        return self._plain[name]

    def stands(self, key: str, id: int) -> bool:
        """Whether a decision was not taken back."""
        return any(each.id == id for each in self._made.get(key, ()))

    def standing(self, key: str) -> DecisionState:
        """The state of a row; `OPEN` where nothing was decided."""
        return self._standing.get(key, OPEN)

    def standings(self) -> dict[str, DecisionState]:
        """Every row on which something was decided."""
        return {key: state for key, state in self._standing.items() if not is_pair(key)}

    def by_user(self, key: str) -> dict[str, DecisionState]:
        """What each reviewer's decisions on a row come to by themselves."""
        found: dict[str, DecisionState] = {}
        for each in self._made.get(key, ()):
            found[each.user] = _after(found.get(each.user, OPEN), each)
        return found

    def last_ids(self, key: str) -> dict[str, int]:
        """The id of each reviewer's last decision on a row that stands."""
        return {each.user: each.id for each in self._made.get(key, ())}

    def decider(self, key: str) -> str:
        """The reviewer whose verdict on a row counts, or ""."""
        found = ""
        for each in self._made.get(key, ()):
            if each.action in _VERDICTS and (each.payload.get("stands") is not False or not found):
                found = each.user
        return found

    def apart(self) -> frozenset[tuple[str, str]]:
        """The pairs of row keys that the user has marked as not duplicates, see `pair_key`."""
        pairs = (
            key.split(_BETWEEN) for key, state in self._standing.items() if is_pair(key) and state.verdict == "keep"
        )
        return frozenset((first, second) for first, second in pairs)

    def conflicts(self) -> Iterator[tuple[str, DecisionState]]:
        """The rows that reviewers decided differently and nobody has settled."""
        return ((key, state) for key, state in self._standing.items() if state.conflict)


def _after(before: DecisionState, made: _Made) -> DecisionState:
    payload = made.payload
    text = str(payload.get("text", ""))
    users = before.users if made.user in before.users else (*before.users, made.user)
    match made.action:
        case "keep" | "drop" | "edit":
            return _decided(before, made, text, users)
        case "note":
            return replace(before, note=text, users=users)
        case "rate":
            rating = payload.get("rating")
            return replace(before, rating=rating if isinstance(rating, int) and rating in RATINGS else 0, users=users)
        case "label":
            labels = payload.get("labels")
            found = tuple(map(str, labels)) if isinstance(labels, (list, tuple)) else ()
            return replace(before, labels=found, users=users)
        case "flag":
            return replace(before, flag=text, users=users)
        case _:  # of a later version
            return before


def _decided(before: DecisionState, made: _Made, text: str, users: tuple[str, ...]) -> DecisionState:
    verdict, blind = _VERDICTS[made.action], made.payload.get("blind") is True
    verdicts = before.verdicts
    if blind or not before.blind:  # what settles a conflict is not a second opinion
        verdicts = (*(each for each in verdicts if each[0] != made.user), (made.user, verdict))
    conflict = blind and len({each for _, each in verdicts}) > 1
    stands = made.payload.get("stands") is not False or not before.verdict
    edit = made.payload.get("sample") if stands and made.action == "edit" else before.edit
    return DecisionState(  # not `replace`, which takes three times as long: there may be a million
        verdict if stands else before.verdict,
        edit,
        before.note,
        before.flag,
        (text if verdict == "drop" else "") if stands else before.why,
        before.rating,
        before.labels,
        verdicts,
        before.blind or blind,
        conflict,
        users,
    )
