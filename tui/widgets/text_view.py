"""Styled text of any length, wrapped line by line and only as far as someone looks.

A `Static` takes seconds for one string of a megabyte. Here lines come from an iterator, are wrapped in slices of a
few milliseconds between key presses, and only the visible ones are drawn.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.folding import places
from tui.actions import Command, declare
from tui.terminal.after_delay import after_delay
from tui.terminal.scrolling import set_height
from tui.widgets.wrap import wrap

_FIRST_SLICE = 0.025
_SLICE = 0.008
"""Seconds of wrapping at a stretch; the app answers keys between slices."""

_MOST_ROWS = 250_000
"""Lines on the screen's width that are kept; nobody scrolls further, and memory stays bounded."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of the text, before wrapping.

    Attributes:
        spans: clean pieces without newlines, each with the name of a style (see `TextView.COMPONENT_CLASSES`).
        indent: cells left free before each line that this one wraps into.
        bar: a glyph of one cell that stands in the margin of each of them, or "".
    """

    spans: tuple[tuple[str, str], ...]
    indent: int = 0
    bar: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line as it is drawn: the piece of the line `source` from the character `start` on."""

    source: int
    start: int
    line: TextLine
    spans: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Hit:
    """Where a text that was searched for stands: characters of the line `source`."""

    source: int
    start: int
    end: int


_Place = tuple[int, int]
"""A line's number and a character in it: it means the same at every width."""

_MOST_HITS = 10_000
"""Hits of one text that can be gone to; all that are in view are marked."""

_BEGIN: _Place = (0, 0)
_END: _Place = (sys.maxsize, 0)


def plain(text: str, style: str = "text", *, indent: int = 0) -> TextLine:
    """A line in one style."""
    return TextLine(((text, style),), indent)


class TextView(ScrollView, can_focus=True):
    """A scrollable text of styled lines."""

    COMPONENT_CLASSES = {
        "text-view--text",
        "text-view--muted",
        "text-view--strong",
        "text-view--heading",
        "text-view--key",
        "text-view--string",
        "text-view--number",
        "text-view--warning",
        "text-view--trained",
        "text-view--masked",
        "text-view--trained-next",
        "text-view--masked-next",
        "text-view--lost",
        "text-view--hit",
        "text-view--hit-here",
        "text-view--bar",
        "text-view--code-word",
        "text-view--code-string",
        "text-view--code-comment",
    }

    DEFAULT_CSS = """
    TextView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-color: $border; scrollbar-color-hover: $border; scrollbar-color-active: $primary;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        & > .text-view--text { color: $foreground; }
        & > .text-view--muted { color: $text-muted; }
        & > .text-view--strong { text-style: bold; }
        & > .text-view--heading { color: $primary; text-style: bold; }
        & > .text-view--key { color: $primary; }
        & > .text-view--string { color: $foreground; }
        & > .text-view--number { color: $accent; }
        & > .text-view--warning { color: $text-warning; text-style: bold; }
        & > .text-view--trained { color: $foreground; text-style: bold; }
        & > .text-view--masked { color: $text-muted; }
        & > .text-view--trained-next { color: $foreground; background: $foreground 18%; text-style: bold; }
        & > .text-view--masked-next { color: $text-muted; background: $foreground 18%; }
        &:ansi > .text-view--trained-next { text-style: bold underline; }
        &:ansi > .text-view--masked-next { text-style: underline; }
        &:nocolor > .text-view--trained { text-style: bold reverse; }
        &:nocolor > .text-view--trained-next { text-style: bold reverse underline; }
        &:nocolor > .text-view--masked-next { text-style: underline; }
        & > .text-view--hit { text-style: reverse; }
        & > .text-view--hit-here { color: $accent; text-style: bold reverse; }
        & > .text-view--lost { color: $text-muted; text-style: strike; }
        & > .text-view--bar { color: $accent; }
        & > .text-view--code-word { color: $primary; text-style: bold; }
        & > .text-view--code-string { color: $text-success; }
        & > .text-view--code-comment { color: $text-muted; text-style: italic; }
    }
    """

    BINDINGS = declare(
        "text",
        Command("text.scroll_up", "up,k", "scroll_up", "up", "Scroll one line up.", shared="up"),
        Command("text.scroll_down", "down,j", "scroll_down", "down", "Scroll one line down.", shared="down"),
        Command("text.page_up", "pageup,backspace", "page_up", "page up", "Scroll one page up."),
        Command("text.page_down", "pagedown,space", "page_down", "page down", "Scroll one page down."),
        Command("text.first_line", "home,g", "scroll_home", "top", "Go to the first line.", shared="first"),
        Command("text.last_line", "end,G", "to_end", "bottom", "Go to the last line.", shared="last"),
        Command("text.scroll_left", "left", "pan(-1)", "left", "Scroll left.", 6),
        Command(
            "text.scroll_right",
            "right",
            "pan(1)",
            "right",
            "Scroll right, where lines are longer than the view.",
            6,
        ),
    )

    def __init__(
        self, *, wraps: bool = True, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        """Make the view.

        Args:
            wraps: whether long lines wrap; otherwise the view scrolls right.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._wraps = wraps
        self._left, self._longest = 0, 0
        """The first column that is shown, and the cells of the longest line, where lines do not wrap."""
        self._lines: Callable[[], Iterable[TextLine]] = tuple
        self._rows: list[_Row] = []
        self._pending: Iterator[_Row] | None = None
        self._width = 0
        self._goal: _Place | None = None
        """What shall stand on top as soon as the wrapping has come so far."""
        self._in_view = False
        """Whether the goal needs only be in view."""
        self._sought = ""
        self._hits: list[_Hit] = []
        self._more_hits: Iterator[_Hit] = iter(())
        self._hit = -1
        """The hit that was gone to, counted from 0."""
        self._marked_line: tuple[int, list[tuple[int, int]]] = (-1, [])
        """The line that was marked last, and the hits in it: long lines are drawn row by row."""
        self._slice_due = False
        self._base: Style | None = None

    def show(self, lines: Callable[[], Iterable[TextLine]], *, keep_place: bool = False) -> None:
        """Show another text.

        Args:
            lines: makes the lines; called again when the width changes, read only as far as needed.
            keep_place: stay at the line that is on top now, for a text that has only changed in places.
        """
        place = self._top() if keep_place else _BEGIN
        self._lines = lines
        self._in_view = self._in_view and keep_place
        hit = self._hit if keep_place else -1
        self._look_for_hits()
        if hit >= 0:
            self._find_hits(hit + 1)
            self._hit = min(hit, len(self._hits) - 1)
        self._restart(place)

    # -- hits of a search -----------------------------------------------------------------------------------

    def mark_hits(self, folded: str) -> None:
        """Mark a text wherever it stands; "" marks nothing.

        Args:
            folded: the text, as `core.folding.fold` returns it.
        """
        if folded != self._sought:
            self._sought = folded
            self._look_for_hits()
            self.refresh()

    def go_to_hit(self, step: int, *, restart: bool = False) -> bool:
        """Scroll to the next hit, or to the previous one; False where there is none.

        Args:
            step: 1 or -1.
            restart: go to the first hit of the text, or to its last one.
        """
        if restart:
            self._hit = -1
            if step < 0:
                self._find_hits(_MOST_HITS)
                self._hit = len(self._hits)
        wanted = self._hit + step
        self._find_hits(wanted + 1)
        if not 0 <= wanted < len(self._hits):
            return False
        self._hit = wanted
        hit = self._hits[wanted]
        self._aim((hit.source, hit.start), in_view=True)
        if self._width > 0:
            self._reach()
        self.refresh()
        return True

    def _look_for_hits(self) -> None:
        self._hits, self._hit = [], -1
        self._marked_line = -1, []
        self._more_hits = self._all_hits()

    def _find_hits(self, many: int) -> None:
        while len(self._hits) < min(many, _MOST_HITS) and (hit := next(self._more_hits, None)) is not None:
            self._hits.append(hit)

    def _all_hits(self) -> Iterator[_Hit]:
        if self._sought:
            for source, line in enumerate(self._lines()):
                for start, end in places("".join(text for text, _ in line.spans), self._sought):
                    yield _Hit(source, start, end)

    def _hits_in(self, row: _Row) -> Iterator[_Hit]:
        """The hits in what a row draws."""
        source, found = self._marked_line
        if source != row.source:
            found = list(places("".join(text for text, _ in row.line.spans), self._sought))
            self._marked_line = row.source, found
        last = row.start + sum(len(text) for text, _ in row.spans)
        first = bisect_right(found, row.start, key=lambda place: place[1])
        for start, end in found[first:]:
            if start >= last:
                return
            yield _Hit(row.source, start, end)

    def _spans(self, row: _Row) -> Iterable[tuple[str, str]]:
        """A row's pieces, and those of its hits with the style of one."""
        hits = list(self._hits_in(row)) if self._sought else []
        if not hits:
            return row.spans
        here = self._hits[self._hit] if 0 <= self._hit < len(self._hits) else None
        pieces, at = [], row.start
        for text, style in row.spans:
            end = at + len(text)
            for hit in hits:
                start, stop = max(at, hit.start), min(end, hit.end)
                if start < stop:
                    pieces.append((text[at - end + len(text) : start - end + len(text)], style))
                    pieces.append((text[start - end + len(text) : stop - end + len(text)], _hit_name(hit == here)))
                    at = stop
            pieces.append((text[at - end + len(text) :], style))
            at = end
        return [piece for piece in pieces if piece[0]]

    # -- place ----------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether every line has been wrapped, so that the height is the whole text's."""
        return self._pending is None

    def on_resize(self) -> None:
        """Wrap again when the width has changed, with the same line on top."""
        if self._text_width() != self._width:
            self._restart(self._top())
        elif not self.complete:
            self._extend()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw the new lines."""
        super().watch_scroll_y(old_value, new_value)
        if not self.complete:
            self._extend()

    def action_page_up(self) -> None:
        """Scroll one page up, less a line for the eye to hold on to."""
        self._scroll(-self._page())

    def action_page_down(self) -> None:
        """Scroll one page down, less a line for the eye to hold on to."""
        self._scroll(self._page())

    def action_scroll_up(self) -> None:
        """Scroll one line up."""
        self._scroll(-1)

    def action_scroll_down(self) -> None:
        """Scroll one line down."""
        self._scroll(1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A view whose lines wrap has nothing to the right; at an end nothing is left to scroll to."""
        if action == "pan":
            room = self._longest - self._text_width()
            return not self._wraps and (self._left > 0 if parameters == (-1,) else self._left < room)
        return super().check_action(action, parameters)

    def action_pan(self, direction: int) -> None:
        """Scroll half a page to the right or left."""
        width = self._text_width()
        left = self._left + direction * max(1, width // 2)
        self._left = max(0, min(left, self._longest - width))
        self.refresh()
        self.refresh_bindings()

    def action_scroll_home(self) -> None:
        """Go to the first line."""
        self._aim(None)
        self.scroll_to(y=0, animate=False)

    def action_to_end(self) -> None:
        """Go to the last line, as soon as it is known where that is."""
        self._aim(_END)
        self._seek()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a region; their common style, for which all ancestors are asked, is found once."""
        self._base = self.rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._base = None

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        base = self._base if self._base is not None else self.rich_style
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[index]
        segments = []
        if row.line.bar:
            segments.append(Segment(row.line.bar, self._style("bar")))
        if blank := row.line.indent - len(row.line.bar):
            segments.append(Segment(" " * blank, base))
        segments += [Segment(text, self._style(style)) for text, style in self._spans(row)]
        strip = Strip(segments)
        if self._wraps:
            return strip.adjust_cell_length(width, base)
        rest = strip.cell_length - self._left - width
        shown = strip.crop(self._left, self._left + width - (rest > 0)).adjust_cell_length(width - (rest > 0), base)
        return Strip([*shown, Segment("…", self._style("muted"))]) if rest > 0 else shown

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"text-view--{name}")

    def _aim(self, goal: _Place | None, *, in_view: bool = False) -> None:
        self._goal, self._in_view = goal, in_view

    def _scroll(self, lines: int) -> None:
        self._aim(None)
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def _text_width(self) -> int:
        return self.scrollable_content_region.width

    def _top(self) -> _Place:
        """What is on top now, or shall soon be."""
        if self._goal is not None:
            return self._goal
        top = self.scroll_offset.y
        return (self._rows[top].source, self._rows[top].start) if top < len(self._rows) else _BEGIN

    def _restart(self, goal: _Place) -> None:
        """Wrap from the beginning, then scroll so that the goal is on top."""
        self._width = self._text_width()
        self._rows = []
        self._longest = 0
        self._pending = None
        self._goal = goal
        if self._width <= 0:  # not laid out yet: the first resize comes back here
            return
        self._pending = self._wrapped(self._width)
        self._reach()
        self.refresh()

    def _reach(self) -> None:
        """Wrap until the goal is in view, or leave the rest to slices."""
        goal = self._goal
        assert goal is not None
        self._pull(lambda: self._reached(goal) and self._below_view(), time.monotonic() + _FIRST_SLICE)
        self._settle_height()
        if goal != _BEGIN and not self._reached(goal) and not self._in_view:
            self.scroll_to(y=0, animate=False, immediate=True)
        self._seek()
        self._schedule()

    def _reached(self, goal: _Place) -> bool:
        return self.complete or (bool(self._rows) and (self._rows[-1].source, self._rows[-1].start) > goal)

    def _seek(self) -> None:
        """Go to the goal if the wrapping has come so far."""
        goal = self._goal
        if goal is None or not self._reached(goal):
            return
        self._goal = None
        if goal == _END:
            self._settle_height()
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        else:
            row = max(0, bisect_right(self._rows, goal, key=lambda row: (row.source, row.start)) - 1)
            in_view, self._in_view = self._in_view, False
            top, height = self.scroll_offset.y, self.size.height
            if in_view and top <= row < top + height:
                return
            if in_view:  # with some of what stands before it
                row = max(0, row - height // 3)
            if len(self._rows) > self.virtual_size.height:
                set_height(self, self._width, len(self._rows))
            self.scroll_to(y=row, animate=False, immediate=True)

    def _below_view(self) -> bool:
        return len(self._rows) > self.scroll_offset.y + 2 * self.size.height

    def _wrapped(self, width: int) -> Iterator[_Row]:
        for number, line in enumerate(self._lines()):
            text = "".join(piece for piece, _ in line.spans)
            if not self._wraps:
                self._longest = max(self._longest, line.indent + cell_len(text))
                yield _Row(number, 0, line, line.spans)
                continue
            cut = Cutter(line.spans)
            for start, end in wrap(text, width - line.indent):
                yield _Row(number, start, line, cut(start, end))

    def _pull(self, enough: Callable[[], bool], deadline: float) -> None:
        """Wrap until there is enough, time is up, or the text ends."""
        if self._pending is None:
            return
        for count, row in enumerate(self._pending):
            self._rows.append(row)
            if len(self._rows) >= _MOST_ROWS:
                rest = TextLine((("… the rest is not shown: the text is too long", "warning"),))
                self._rows.append(_Row(row.source + 1, 0, rest, rest.spans))
                break
            if count % 16 == 0 and (time.monotonic() > deadline or enough()):
                return
        self._pending = None

    def _extend(self) -> None:
        """Wrap what the view needs now, and leave the rest to slices."""
        self._pull(self._below_view, time.monotonic() + _SLICE)
        self._settle_height()
        self._schedule()

    def _schedule(self) -> None:
        if not self.complete and not self._slice_due:
            self._slice_due = True
            after_delay(self, 0.002, self._wrap_more)

    def _wrap_more(self) -> None:
        self._slice_due = False
        self._pull(lambda: False, time.monotonic() + _SLICE)
        self._settle_height()
        self._seek()
        self._schedule()

    def _settle_height(self) -> None:
        """Tell the scroll bar the height: at the end, and before it when the view nears what is wrapped."""
        if self.complete or len(self._rows) > 2 * self.virtual_size.height:
            set_height(self, self._width, len(self._rows))


def _hit_name(here: bool) -> str:
    return "hit-here" if here else "hit"


class Cutter:
    """Cuts a line's pieces where it wraps, from its begin to its end; a line may be of very many pieces.

    Args:
        spans: the pieces, each with its style.
    """

    def __init__(self, spans: tuple[tuple[str, str], ...]) -> None:
        self._spans = spans
        self._first = 0  # the piece that the next cut begins with
        self._offset = 0  # where that piece begins in the joined text

    def __call__(self, start: int, end: int) -> tuple[tuple[str, str], ...]:
        """The pieces between two offsets of their joined text; none may lie before those of an earlier call."""
        spans = self._spans
        while self._first < len(spans) - 1 and self._offset + len(spans[self._first][0]) <= start:
            self._offset += len(spans[self._first][0])
            self._first += 1
        pieces: list[tuple[str, str]] = []
        offset = self._offset
        for number in range(self._first, len(spans)):
            if offset >= end and pieces:
                break
            text, style = spans[number]
            pieces.append((text[max(0, start - offset) : end - offset], style))
            offset += len(text)
        return tuple(pieces)
