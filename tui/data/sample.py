"""One row in the sample pane: as a chat, as the rendered template, as raw JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from textual.content import Content

from core import timestamps
from core.clean import clean, clean_line
from core.dataset.records import BadLine, Row, Unreadable, encoding_offer
from core.units import count, size
from tui.data.lines import HUGE
from tui.data.rows import DataRows
from tui.widgets.chat_lines import chat_lines, thinks
from tui.widgets.json_lines import json_lines
from tui.widgets.text_view import TextLine, plain

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Decision, DecisionState
    from core.dataset.row_tasks import RowTasks

_DECIDED = {"": "", "keep": " ✓ kept", "drop": " ✗ dropped"}
_WITHOUT_LINES = ("Parquet", "Arrow", "Excel")


def subject(rows: DataRows, entry: int) -> Content:
    """The pane's title: which row, and what was decided about it."""
    row = rows.row_of(entry)
    name = f"row {count(row + 1)}" if row is not None else "malformed line"
    decision = rows.decision(entry)
    style = {"": "", "keep": "$text-success", "drop": "$text-error"}[decision]
    mark = rows.mark(entry)
    said = _DECIDED[decision]
    if mark is not None and mark.edit is not None:
        said = said.replace("kept", "edited and kept") or " edited"
    return Content.assemble((name, "bold"), (said, style))


def notes(rows: DataRows, entry: int) -> list[tuple[str, str]]:
    """Why the row deserves a look."""
    flags = rows.flags_of(entry)
    own = _own(rows.mark(entry))
    row = rows.row_of(entry)
    if row is not None and row in rows.reasons and not rows.hides(row):
        own.append(("dropped", clean_line(rows.reasons[row], 400)))
    if row is not None and row in rows.others and not rows.hides(row):
        own += _others(rows, row)
    if not flags:
        return own
    from core.dataset.checks import TITLES

    return own + [(TITLES.get(flag.name, flag.name), clean_line(flag.reason, 400)) for flag in flags]


def _own(standing: DecisionState | None) -> list[tuple[str, str]]:
    """The marks that the user has put on a row."""
    if standing is None:
        return []
    said = []
    if standing.flag:
        said.append(("flag", clean_line(standing.flag, 400)))
    if standing.note:
        said.append(("note", clean_line(standing.note, 400)))
    if standing.rating:
        said.append(("rating", f"{standing.rating} of 5"))
    if standing.labels:
        said.append(("labels", clean_line(", ".join(standing.labels), 400)))
    if standing.edit is not None:
        said.append(("edited", "chat and template show the edited row, raw shows the row in the file"))
    return said


def _others(rows: DataRows, row: int) -> list[tuple[str, str]]:
    """What other reviewers have decided about a row."""
    state, done = rows.others[row], {"keep": "kept", "drop": "dropped"}
    words = [f"{clean_line(name, 60)} {done[verdict]}" for name, verdict in state.verdicts if verdict in done]
    if not words:
        return []
    if state.conflict:
        return [("conflict", f"{', '.join(words)}: keep or drop the row to settle it")]
    return [("reviewed", ", ".join(words))]


def history(decisions: Sequence[Decision]) -> Iterator[TextLine]:
    """What was decided about a row, oldest first."""
    if not decisions:
        yield plain("No decisions on this row yet.")
    for each in decisions:
        when = f"{timestamps.text(each.time, '%Y-%m-%d %H:%M:%S'):19}"
        who = clean_line(f"{each.user} on {each.host}", 120)
        text = clean_line(_said(each), 2_000)
        yield TextLine(
            ((when, "muted"), (f"  {each.action.ljust(5)}", "strong"), (f"  {text}" if text else "", "text"))
        )
        yield plain(who, "muted", indent=21)


def _said(decision: Decision) -> str:
    """What a decision says beside its action."""
    payload = decision.payload
    if decision.action == "rate":
        return f"{payload.get('rating') or 'none'}"
    if decision.action == "label":
        return ", ".join(map(str, payload.get("labels") or ())) or "none"
    return str(payload.get("text", ""))


def bad_lines(lines: Sequence[BadLine], more: bool) -> Iterator[TextLine]:
    """The list of malformed lines."""
    if not lines:
        yield plain("No malformed lines." if not more else "No malformed lines so far; the scan is still running.")
        return
    yield plain("These lines could not be parsed; every other line was loaded. The file is never changed.", "muted")
    if offer := encoding_offer(lines, in_app=True):
        yield plain(f"{offer[0].upper()}{offer[1:]}.", "warning")
    yield plain("")
    for bad in lines:
        place = f"{clean_line(bad.file.name, 200)}, line {count(bad.line)}: "
        yield TextLine(((place, "key"), (clean_line(bad.reason, 2_000), "text")))
    if more:
        yield plain("… the scan is still running", "muted")


class RowText:
    """The texts of one row, read once when the first of them is asked for.

    Args:
        rows: the rows.
        entry: which of them.
        read_huge: read it however long it is.
        folded: show thinking as one line.
    """

    def __init__(self, rows: DataRows, entry: int, *, read_huge: bool = False, folded: bool = True) -> None:
        self.entry = entry
        self.length = rows.dataset.reader.size(entry)
        self.too_long = self.length > HUGE and not read_huge
        self._rows = rows
        self._folded = folded
        self._row: Row | None = None

    @property
    def row(self) -> Row:
        """The entry as it stands in the file."""
        if self._row is None:
            self._row = self._rows.read(self.entry)
        return self._row

    def rendering(self, view: str) -> tuple[Callable[[], Iterable[TextLine]], str]:
        """The text of a view, and file and line for the lower border; the template's is asked for elsewhere."""
        if self.too_long:
            return ask_to_read(self.length), ""
        unit = "row" if self._rows.dataset.reader.container.startswith(_WITHOUT_LINES) else "line"
        place = clean_line(f"{unit} {count(self.row.line)} of {self.row.file.name}", 120)
        subtitle = " · ".join(filter(None, (self._tokens(), place)))
        return (self.raw if view == "raw" else self.chat), subtitle

    def _tokens(self) -> str:
        row = self._rows.row_of(self.entry)
        found = None if row is None else self._rows.tokens.of(row)
        if found is None or found.state != "measured":
            return ""
        lost = f", {count(found.lost)} cut off" if found.lost else ""
        return f"{count(found.trained)} of {count(found.tokens)} tokens trained{lost}"

    def chat(self) -> Iterable[TextLine]:
        """The sample as a conversation, or why the row is unreadable."""
        try:
            sample = self._rows.sample(self.row)
        except Unreadable as fault:
            return unreadable(str(fault), self.row)
        return chat_lines(sample, folded=self._folded)

    def thinks(self) -> bool:
        """Whether there is thinking in it that could be folded."""
        try:
            return not self.too_long and thinks(self._rows.sample(self.row))
        except Unreadable:
            return False

    def sample(self, tasks: RowTasks | None = None) -> dict[str, Any] | None:
        """The sample as JSON for the preview service, with the prompt of its task; None for an unreadable row."""
        try:
            found = self._rows.sample(self.row)
        except Unreadable:
            return None
        return (found if tasks is None else tasks.apply(found, tasks.of(self.row.value))).to_json()

    def raw(self) -> Iterable[TextLine]:
        """The row's own JSON; the bytes as text where they are none."""
        if self.row.value is None:
            return unreadable(self.row.error, self.row)
        return json_lines(self.row.value)


def on_its_way() -> Iterable[TextLine]:
    """Shown in place of a row that is being unpacked or decoded."""
    return [plain("reading …", "muted")]


def unreadable(reason: str, row: Row) -> Iterable[TextLine]:
    """Why a row is unreadable, and its text in the file."""
    yield TextLine((("unreadable: ", "warning"), (clean_line(reason, 2_000), "text")))
    yield plain("")
    for line in clean(row.raw_text[:200_000]).split("\n"):
        yield plain(line, "muted")


def ask_to_read(length: int) -> Callable[[], Iterable[TextLine]]:
    """Shown in place of a row that is too long to read in passing."""
    return lambda: [
        plain(f"This row is {size(length)}. Reading it takes a moment.", "text"),
        plain("Press enter to read it.", "strong"),
    ]
