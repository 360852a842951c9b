"""The face of a form: its rows, drawn by one widget. What the keys do is in `form`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.form_field import Drawing, FieldState, FormField, RowStyle, Section, draw_heading, draw_row, drawing
from tui.widgets.form_lines import FormLines
from tui.widgets.line_editor import LineEditor


class FormView(ScrollView):
    """Draws fields in sections, the cursor, and the field that is being typed."""

    COMPONENT_CLASSES = {
        "form-view--mark",
        "form-view--title",
        "form-view--title-current",
        "form-view--value",
        "form-view--changed",
        "form-view--error-value",
        "form-view--bracket",
        "form-view--typed",
        "form-view--caret",
        "form-view--selection",
        "form-view--suggestion",
        "form-view--hint",
        "form-view--error",
        "form-view--warn",
        "form-view--note",
        "form-view--heading",
        "form-view--rule",
    }

    DEFAULT_CSS = """
    FormView {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .form-view--mark { color: $accent; text-style: bold; }
        & > .form-view--title { color: $foreground; }
        & > .form-view--title-current { color: $accent; text-style: bold; }
        & > .form-view--value { color: $foreground; }
        & > .form-view--changed { color: $foreground; text-style: bold; }
        & > .form-view--error-value { color: $text-error; text-style: bold; }
        & > .form-view--bracket { color: $accent; }
        & > .form-view--typed { color: $foreground; background: $panel; }
        & > .form-view--caret { text-style: reverse; }
        & > .form-view--selection { text-style: reverse; }
        & > .form-view--suggestion { color: $text-muted; text-style: italic; }
        & > .form-view--hint { color: $text-muted; }
        & > .form-view--error { color: $text-error; text-style: bold; }
        & > .form-view--warn { color: $text-warning; }
        & > .form-view--note { color: $text-muted; }
        & > .form-view--heading { color: $accent; text-style: bold; }
        & > .form-view--rule { color: $border-blurred; }
    }
    """

    typing: reactive[bool] = reactive(False, bindings=True)
    """Whether a field has the focus; printable keys then belong to it."""
    show_folded: reactive[bool] = reactive(False, init=False)
    """Whether advanced fields are shown."""

    def __init__(
        self,
        sections: Sequence[Section],
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make the view.

        Args:
            sections: its fields, in groups, from top to bottom.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._shown = FormLines(sections)
        self._states = {each.key: FieldState() for section in sections for each in section.fields}
        self._unconfirmed: dict[str, str] = {}
        self._editor = LineEditor()
        self._suggestion = ""
        self._columns = Drawing(0, 0)
        self.virtual_size = Size(0, len(self._shown.lines))

    def fill(self, states: Mapping[str, FieldState]) -> None:
        """Show other values, hints and faults; rows that stay the same are not drawn again.

        Args:
            states: what each field shows. The text of the field that is being typed stays as it was typed.
        """
        typed = self.current.key if self.typing and self.current.kind != "choice" else ""
        differ = set()
        for key, state in states.items():
            if key == typed:
                state = replace(state, text=self._editor.text)
            elif self._unconfirmed.get(key, state.text) != state.text:
                # The owner has yet to hear of the newest choice: keys may come faster than it answers.
                state = replace(state, text=self._unconfirmed[key])
            else:
                self._unconfirmed.pop(key, None)
            if state != self._states[key]:
                self._states[key] = state
                differ.add(key)
        if self._shown.reveal(self._telling()):
            self._arrange(self.current.key)
        for key in differ & set(self.keys):
            self.refresh_line(self._shown.places[key])

    def lay_out(self, sections: Sequence[Section]) -> None:
        """Show other fields, with the cursor on the same one or the nearest that is left; values stay."""
        if tuple(sections) == self._shown.sections:
            return
        key, before, revealed = self.current.key, list(self._states), self._shown.revealed
        self._shown = FormLines(sections)
        self._states = {
            each.key: self._states.get(each.key, FieldState()) for section in sections for each in section.fields
        }
        self._unconfirmed = {key: text for key, text in self._unconfirmed.items() if key in self._states}
        self._shown.reveal(revealed)
        self._columns = Drawing(0, 0)  # other titles: another column for them
        place = before.index(key)
        nearest = (*before[place:], *before[:place][::-1])
        self._arrange(next((each for each in nearest if each in self._states), next(iter(self._states))))

    @property
    def current(self) -> FormField:
        """The field that the cursor is on."""
        return self._shown.current

    @property
    def keys(self) -> list[str]:
        """The fields that are shown, from top to bottom."""
        return list(self._shown.places)

    def moved(self) -> None:
        """Called when the cursor has come to another field because the one before is not shown any more."""

    def watch_show_folded(self) -> None:
        """Show or hide advanced fields, with the cursor on the same field where it is still there."""
        self._shown.revealed.clear()
        self._shown.reveal(self._telling())
        self._arrange(self.current.key)

    def on_resize(self) -> None:
        """Find the columns for the width."""
        self._fit()
        self._into_view()

    def render_line(self, y: int) -> Strip:
        """One line: a heading or a field's row."""
        width = self._columns.width
        at = self.scroll_offset.y + y
        if at >= len(self._shown.lines):
            return Strip.blank(width, self.rich_style)
        line = self._shown.lines[at]
        if isinstance(line, Section):
            hidden = self._shown.hidden(line)
            spans = draw_heading(line.title, f"{hidden} more" if hidden else "", self._columns)
        else:
            current = at == self._shown.at
            editing = current and self.typing and line.kind != "choice"
            pen = RowStyle(current, self._editor if editing else None, self._suggestion)
            spans = draw_row(line, self._states[line.key], self._columns, pen)
        return Strip([Segment(text, self._style(style)) for text, style in spans if text]).adjust_cell_length(
            width, self.rich_style
        )

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"form-view--{name}")

    def _fit(self) -> None:
        width = self.scrollable_content_region.width
        if width != self._columns.width:
            self._columns = drawing(self._shown.sections, width)
        self.virtual_size = Size(width, len(self._shown.lines))
        self.refresh()

    def _into_view(self) -> None:
        """Scroll no more than needed; the first field of a section takes its heading along."""
        height = self.scrollable_content_region.height
        if not height:  # before the first layout nothing has a place yet
            return
        top = self.scroll_offset.y
        first = self._shown.at - 1
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif self._shown.at + 1 > top + height - 1:
            self.scroll_to(y=min(self._shown.at + 2, len(self._shown.lines)) - height, animate=False, force=True)

    def _arrange(self, key: str) -> None:
        """Lay out the lines again, with the cursor on a field or near it."""
        self._shown.arrange(key, unfolded=self.show_folded)
        if self.is_mounted:
            self._fit()
            self._into_view()
            if self.current.key != key:
                self.moved()

    def _telling(self) -> set[str]:
        """Fields that are shown even if they are folded: those that were set, and those that are wrong."""
        return {
            key
            for key, state in self._states.items()
            if state.changed or (state.fault is not None and state.fault.severity == "error")
        }
