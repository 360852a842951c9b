"""The panes of the data screen and what they show; the keys are in the classes that build on this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from tui.screens.base import StepScreen
from tui.screens.data_messages import TemplateAnswered
from tui.widgets.sample_entry import Entry
from tui.widgets.sample_list import SampleList
from tui.widgets.sample_view import SampleView
from tui.widgets.still_text import StillText
from tui.widgets.titled_pane import TitledPane

if TYPE_CHECKING:
    from tui.screens.data_desk import Desk
    from tui.screens.data_preview import TemplatePreview
    from tui.screens.data_typed import TypedLine
    from tui.widgets.text_view import Line

_HOLD = 10.0
"""Seconds that the line of facts says what came of a key."""


class DataPanes(StepScreen):
    """The list, the row under its cursor, and a line of facts."""

    STEP = "data"

    def __init__(self) -> None:
        super().__init__()
        self._preview: TemplatePreview | None = None
        self._desk: Desk | None = None
        self._entry = -1
        self._awaited = False
        self._typed: TypedLine | None = None
        self._pace_words = ""
        self._sought = ""
        self._held = ""
        self._held_until = 0.0
        self._held_for = -1
        self._aside = False
        self._folded = True
        self._thinks = False

    # -- composition ----------------------------------------------------------------------------------------

    def compose_body(self) -> Iterable[Widget]:
        """The list, the sample, a line of facts; without data the line alone, which is there sooner."""
        if self.session.data:
            yield self._panes()
        yield StillText(id="line")

    def _panes(self) -> Widget:
        return Container(
            TitledPane(SampleList(self._line, id="list"), StillText(id="counts"), id="list-pane"),
            SampleView(("chat", "template", "raw"), id="sample"),
            id="panes",
        )

    @property
    def rows_list(self) -> SampleList:
        """The rows."""
        return self.query_one("#list", SampleList)

    @property
    def sample_view(self) -> SampleView:
        """The row under the cursor."""
        return self.query_one("#sample", SampleView)

    @property
    def aim(self) -> Hashable:
        """The row under the cursor, in the list that it stands in."""
        return None if self._desk is None else self._in_this_list(self._at_cursor)

    @property
    def _at_cursor(self) -> int:
        """The entry under the cursor; the sample pane follows the cursor a moment later."""
        assert self._desk is not None
        rows = self._desk.rows
        return rows.entry_at(self.rows_list.cursor) if rows.count else -1

    def _in_this_list(self, entry: int) -> Hashable:
        assert self._desk is not None
        rows = self._desk.rows
        return self._desk, rows.names, rows.order, rows.sought, rows.audit and rows.audit.started, entry

    def pictured(self) -> Iterable[Hashable]:
        """The rows in the list; where one has the whole screen, that one."""
        if self._desk is None or self.has_class("-opening"):
            return []
        if self.has_class("-reading"):
            return [] if self._awaited else [self._in_this_list(self._entry)]
        rows = self._desk.rows
        return [self._in_this_list(rows.entry_at(place)) for place in self.rows_list.shown if place < rows.count]

    # -- showing --------------------------------------------------------------------------------------------

    def _line(self, position: int) -> Entry | None:
        assert self._desk is not None
        return self._desk.rows.line(position)

    def _show_facts(self) -> None:
        """Bring the words around the list up to what is known."""
        from tui.screens import data_words

        assert self._desk is not None
        self.query_one("#list-pane", TitledPane).retitle(data_words.title(self._desk.rows, self._pace_words))
        line = self.query_one("#counts", StillText)
        line.say(data_words.counts(self._desk.rows, line.content_size.width or self.size.width - 4))
        width = self.query_one("#line").content_size.width or self.size.width - 2
        if self._typed is not None:
            self._say(self._typed.shown(width))
        elif self._held and time.monotonic() < self._held_until:
            self._say(self._held)
        else:
            self._say(data_words.facts(self._desk, width))
        self.refresh_bindings()

    def _list_again(self, name: str, entry: int | None = None, also: tuple[str, ...] | None = None) -> None:
        """List the rows of a filter, with the cursor on an entry (by default the present one) if it is among them.

        Args:
            name: of the filter.
            entry: for the cursor.
            also: further filters that hold them; None leaves those that there are where the filter is the same.
        """
        assert self._desk is not None
        rows = self._desk.rows
        rows.use_filter(name, also)
        self.rows_list.reset(rows.count, rows.position_of(max(0, self._entry if entry is None else entry)))
        self._show_facts()

    def _write_next(self) -> None:
        assert self._desk is not None
        if words := self._desk.write_next(self._at_cursor, lambda press: self.deck.seen.meant(press, self.aim)):
            self._say(words)

    def tell(self, words: str, *, failed: bool = False, entry: int | None = None) -> None:
        """Say what came of a key on the line of facts, for some seconds or until the cursor moves.

        A toast would cover the text that somebody reads.

        Args:
            words: clean.
            failed: whether it was not done.
            entry: the row that it stays with, by default the one that is shown.
        """
        self._held_for = self._entry if entry is None else entry
        self._held = f"▲ {words}" if failed else words
        self._held_until = time.monotonic() + _HOLD
        if self._desk is not None:
            self._show_facts()
        self.set_timer(_HOLD + 0.1, self._let_go)

    def _let_go(self) -> None:
        if self._held and time.monotonic() >= self._held_until and self._desk is not None:
            self._held = ""
            self._show_facts()

    def _show_aside(self, title: Content, lines: Callable[[], Iterable[Line]]) -> None:
        """Show something else in the place of the sample, until esc or another row."""
        self._aside = True
        self.sample_view.show(title, lines, subtitle="esc goes back to the sample", choice=False)
        self.refresh_bindings()

    def _say(self, text: str) -> None:
        """Put a clean sentence on the line of facts, which grows with it."""
        self.query_one("#line", StillText).say(text)

    @on(SampleList.Highlighted)
    def _highlighted(self, event: SampleList.Highlighted) -> None:
        if self._desk is not None and event.position < self._desk.rows.count:
            entry = self._desk.rows.entry_at(event.position)
            same = entry == self._entry
            if entry != self._held_for and self._held and "found" not in self._desk.rows.names:
                self._held = ""
                self._show_facts()
            self._show_sample(keep_place=same)

    def _show_sample(self, *, keep_place: bool = False, read_huge: bool = False) -> None:
        from tui.screens import data_sample

        assert self._desk is not None
        rows = self._desk.rows
        if self._aside:
            self._aside = False
            self.refresh_bindings()
        self._entry = rows.entry_at(self.rows_list.cursor)
        self._awaited = not rows.at_hand(self._entry)
        if self._awaited:
            self.sample_view.show(data_sample.subject(rows, self._entry), data_sample.on_its_way, keep_place=keep_place)
            return
        text = data_sample.RowText(rows, self._entry, read_huge=read_huge, folded=self._folded)
        could_fold, self._thinks = self._thinks, self.sample_view.view == "chat" and text.thinks()
        if could_fold != self._thinks:
            self.refresh_bindings()
        view = self.sample_view
        lines, subtitle = text.rendering(view.view)
        if view.view == "template" and not text.too_long:
            template = self._template().text(
                self._entry, text.sample(), lambda: self.session.recipe, self.session.workspace
            )
            lines, subtitle = template.lines, template.subtitle or subtitle
        view.show(
            data_sample.subject(rows, self._entry),
            lines,
            subtitle=subtitle,
            notes=data_sample.notes(rows, self._entry),
            keep_place=keep_place,
        )

    def _take_rows(self) -> None:
        """Rows that were not at hand have been read."""
        self.rows_list.look_again()
        if self._awaited and self._entry >= 0:
            self._show_sample(read_huge=self.has_class("-reading"))

    def _forget_template(self) -> None:
        """The rows have changed, so the template view must ask anew."""
        if self._preview is not None:
            self._preview.forget()

    def _template(self) -> TemplatePreview:
        """The preview service's other end, made at the first look at the template."""
        if self._preview is None:
            from tui.screens.data_preview import TemplatePreview

            self._preview = TemplatePreview(lambda: self.post_message(TemplateAnswered()))
        return self._preview

    @on(TemplateAnswered)
    def _template_answered(self) -> None:
        if self._desk is not None and self.sample_view.view == "template" and self._entry >= 0:
            self._show_sample(keep_place=True, read_huge=self.has_class("-reading"))

    def on_screen_resume(self) -> None:
        """Show the header, and the template of a recipe that may have changed."""
        super().on_screen_resume()
        self._template_answered()

    def on_unmount(self) -> None:
        """End what works for this screen alone; scans and what is on the disk stay."""
        if self._preview is not None:
            self._preview.close()
        if self._desk is not None:
            self._desk.close()
