"""One field of a form: what it is, what it shows, and how its row is drawn. Knows nothing of what the form is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, set_cell_size

from core.clean import clean_line
from tui.widgets.line_editor import LineEditor

if TYPE_CHECKING:
    from core.recipe.declare import ProblemLevel

FieldSpan = tuple[str, str]
"""A piece of text and the name of its style, a component class of `Form` without its prefix."""

MARKS: dict[str, tuple[str, str]] = {"error": ("✗", "wrong"), "warn": ("!", "check"), "note": ("·", "note")}
"""How a fault shows, by shape and by word; color is added on top."""


def fault_words(severity: ProblemLevel, text: str, brief: str = "") -> str:
    """Shape and word for a fault of a value: in brief what is wrong; what is empty and must not be is missing."""
    mark, word = MARKS[severity]
    return f"{mark} {brief or ('missing' if severity == 'error' and not text else word)}"


CHANGED = "•"
"""Stands beside a value that differs from its default."""

SHORT_VALUE = 13
"""Cells of the box of a number, brackets included."""

_LEAST_SENTENCE = 30
"""Cells below which the beginning of a sentence says less than a word."""

_GUTTER = 2


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form.

    Attributes:
        key: its unique name.
        title: what stands before the value.
        kind: `short` and `long` are typed (long takes the row's whole width), `choice` is cycled.
        choices: what a choice cycles through.
        meanings: what each choice means, in the same order; may be empty.
        unit: what the value counts, or "".
        folded: whether it is hidden until advanced fields are shown.
        complete: whether file names are suggested while typing.
        tail: whether the end of a long value tells more than its beginning, as of a path.
        offers: whether enter opens a list of values to choose from, as of a choice; text can still be typed.
    """

    key: str
    title: str
    kind: Literal["short", "long", "choice"]
    choices: tuple[str, ...] = ()
    meanings: tuple[str, ...] = ()
    unit: str = ""
    folded: bool = False
    complete: bool = False
    tail: bool = False
    offers: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A group of fields under a heading."""

    title: str
    fields: tuple[FormField, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field's value, as a sentence and in a few words (or "")."""

    severity: ProblemLevel
    sentence: str
    brief: str = ""


@dataclass(slots=True)
class FieldState:
    """What a field shows now.

    Attributes:
        text: the value as typed.
        changed: whether it differs from its default.
        hint: what the value comes to, `= 2r`.
        fault: what is wrong, if anything.
    """

    text: str = ""
    changed: bool = False
    hint: str = ""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the rows of one form have in common.

    Attributes:
        width: cells of a row.
        title_width: cells of the column of titles.
    """

    width: int
    title_width: int

    @property
    def value_at(self) -> int:
        """The column in which values begin."""
        return _GUTTER + self.title_width + 1


@dataclass(frozen=True, slots=True)
class RowStyle:
    """How one row stands out: the cursor on it, the editor if it is being typed."""

    current: bool = False
    editor: LineEditor | None = None
    suggestion: str = ""


def drawing(sections: Sequence[Section], width: int) -> Drawing:
    """The columns for a form of so many cells."""
    titles = [cell_len(each.title) for section in sections for each in section.fields]
    title_width = min(max(titles, default=10), max(10, width // 2 - 6))
    return Drawing(width, title_width)


def draw_row(spec: FormField, state: FieldState, columns: Drawing, pen: RowStyle) -> list[FieldSpan]:
    """The spans of one row, as wide as the form."""
    mark = "» " if pen.editor is not None else "▸ " if pen.current else "  "
    title = set_cell_size(spec.title, columns.title_width)
    spans: list[FieldSpan] = [
        (mark, "mark"),
        (title, "title-current" if pen.current else "title"),
        (CHANGED if state.changed else " ", "mark"),
    ]
    room = columns.width - columns.value_at
    if spec.kind == "long":
        value = 16 if state.fault or pen.editor is not None else max(16, cell_len(clean_line(state.text, 1_000)) + 2)
        hint, hint_style = _brief(state, room - value - 3)
        hint_room = cell_len(hint) + 3 if hint and value + cell_len(hint) + 3 <= room else 0
        if state.fault and not state.text and not pen.current:
            # Nothing stands there, so there is room for the sentence.
            return [*spans, (" " + _fit(_sentence(state.fault), room - 1), state.fault.severity)]
        spans += _value(spec, state, room - hint_room, pen)
        if hint_room:
            spans += [("  ", "hint"), (hint + " ", hint_style)]
        return spans
    # Hints begin in one column, except beside a longer choice.
    width = min(room, max(SHORT_VALUE, cell_len(clean_line(state.text, 1_000)) + 3 if spec.kind == "choice" else 0))
    spans += _value(spec, state, width, pen)
    hint, hint_style = _full(spec, state, room - width - 1)
    if room - width > 2:
        spans.append((" " + _fit(hint, room - width - 1), hint_style))
    return spans


def draw_heading(title: str, note: str, columns: Drawing) -> list[FieldSpan]:
    """The spans of a section's heading: a rule with its title and, at the right, a note."""
    note = f" {note} " if note else ""
    rule = columns.width - cell_len(title) - cell_len(note) - 5
    return [("── ", "rule"), (title, "heading"), (" " + "─" * max(0, rule), "rule"), (note, "hint"), ("─", "rule")]


def _value(spec: FormField, state: FieldState, width: int, pen: RowStyle) -> list[FieldSpan]:
    style = (
        "error-value" if state.fault and state.fault.severity == "error" else "changed" if state.changed else "value"
    )
    inner = max(2, width - 2)
    if pen.editor is not None:
        return [("[", "bracket"), *_typed(pen.editor, pen.suggestion, inner), ("]", "bracket")]
    opening, closing = " ", " "
    if pen.current and spec.kind == "choice":
        opening, closing = "‹", "›"
    shown = clean_line(state.text, 1_000)
    if spec.kind == "choice":
        # The brackets embrace the word: there is nothing to type.
        shown = _fit(shown, inner).rstrip()
        rest = " " * (inner - cell_len(shown))
        return [(opening, "bracket"), (shown, style), (closing + rest, "bracket")]
    if not shown:
        return [(" " + set_cell_size("–", inner) + " ", "hint")]
    return [(opening, "bracket"), (_fit(shown, inner, keep_end=spec.tail), style), (closing, "bracket")]


def _typed(editor: LineEditor, suggestion: str, width: int) -> list[FieldSpan]:
    window = editor.window(width)
    if editor.selected:
        spans = [(window.before, "selection"), (" ", "caret")]
    else:
        spans = [(window.before, "typed"), (window.at or " ", "caret"), (window.after, "typed")]
    room = width - sum(cell_len(text) for text, _ in spans)
    if room > 0 and suggestion and editor.cursor == len(editor.text) and not editor.selected:
        # The cursor stands on the suggestion's first character.
        spans[1] = (suggestion[0], "caret")
        spans.append((_fit(suggestion[1:], room), "suggestion"))
        room = width - sum(cell_len(text) for text, _ in spans)
    if room < 0:
        spans = spans[:1] if editor.selected else spans
        text, style = spans[-1]
        spans[-1] = (set_cell_size(text, cell_len(text) + room), style)
    return [*spans, (" " * max(0, room), "typed")]


def _full(spec: FormField, state: FieldState, room: int) -> FieldSpan:
    """What stands beside a short value: the fault in words, else the unit and what the value comes to.

    What does not fit into the room is left out, not cut; of a fault at least its beginning or a word is shown.
    """
    hint = clean_line(state.hint, 400)
    # Its beginning up to the end of a clause, longest first; a name alone says nothing beside that name.
    clauses = [hint[: cut.start()] for cut in re.finditer(r"[:;,] ", hint)][::-1]
    clauses = [each for each in clauses if each.lower() != state.text.lower()]
    both = hint if hint and "," in spec.unit else "  ".join(part for part in (spec.unit, hint) if part)
    ways = [both, hint, *clauses, spec.unit, ""]
    if state.fault is None:
        return next((way for way in ways if cell_len(way) <= room), ""), "hint"
    sentence = _sentence(state.fault)
    if state.fault.severity == "note":
        return next((way for way in (f"{ways[0]}  {sentence}", sentence, *ways) if cell_len(way) <= room), ""), "note"
    shown = sentence if cell_len(sentence) <= room or room >= _LEAST_SENTENCE else ""
    return shown or _short(state.fault, state.text, room), state.fault.severity


def _short(fault: Fault, text: str, room: int) -> str:
    """A fault in a few words, in one word where even these do not fit."""
    words = fault_words(fault.severity, text, clean_line(fault.brief, 40))
    return words if cell_len(words) <= room else fault_words(fault.severity, text)


def _sentence(fault: Fault) -> str:
    return f"{MARKS[fault.severity][0]} {clean_line(fault.sentence, 400)}"


def _brief(state: FieldState, room: int) -> FieldSpan:
    """What stands beside a long value: a few words."""
    if state.fault:
        return _short(state.fault, state.text, room), state.fault.severity
    return clean_line(state.hint, 400), "hint"


def _fit(text: str, width: int, *, keep_end: bool = False) -> str:
    """The text in exactly so many cells; what does not fit becomes `…`, at the front where the end tells more."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    if not keep_end:
        return set_cell_size(text, width - 1) + "…"
    while cell_len(text) > width - 1:
        text = text[1:]
    return set_cell_size("…" + text, width)
