"""The panels beside the recipe's form: help for the field, the memory it takes, the checks before a start."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.recipe.facts import RecipeFacts, memory_limit, memory_parts, memory_title, memory_words
from tui.widgets.check_list import CheckList, ChecklistItem
from tui.widgets.memory_bar import MemoryBar

FACES = ("help", "memory", "checks")
"""The panels, of which a narrow screen shows one at a time."""


class RecipePanels(Vertical):
    """Help, memory, checks: all three where there is room, else the one that `turn` has reached."""

    def compose(self) -> ComposeResult:
        """Three boxes."""
        with VerticalScroll(id="help", can_focus=False):
            yield Static("", markup=False)
        with VerticalScroll(id="memory", can_focus=False):
            yield MemoryBar()
        with VerticalScroll(id="checks", can_focus=False):
            yield CheckList()

    _help: Content | None = None

    def on_mount(self) -> None:
        """Begin with the help."""
        self.add_class("-help")

    def turn(self) -> None:
        """Show the next panel where there is room for one."""
        now = next(face for face in FACES if self.has_class(f"-{face}"))
        self.remove_class(f"-{now}")
        self.add_class(f"-{FACES[(FACES.index(now) + 1) % len(FACES)]}")
        self.call_after_refresh(self._name_key)

    def scroll(self, pages: int) -> None:
        """Scroll the panels that are shown and longer than their room by pages, of which one line stays."""
        for box in self._boxes():
            if box.display:
                box.scroll_relative(y=pages * max(box.scrollable_content_region.height - 1, 1), animate=False)

    def _boxes(self) -> list[VerticalScroll]:
        return [self.query_one(f"#{face}", VerticalScroll) for face in FACES]

    def on_resize(self) -> None:
        """There is more or less room."""
        self.call_after_refresh(self._name_key)

    def _name_key(self) -> None:
        """Name the key that scrolls on the panels that are longer than their room."""
        for box in self._boxes():
            words = "shift+↓ more" if box.display and box.max_scroll_y > 0 else ""
            if box.border_subtitle != words:
                box.border_subtitle = words

    def show_help(self, title: str, text: Content) -> None:
        """Show what is said about a field; the title must be clean."""
        box = self.query_one("#help", VerticalScroll)
        retitle(box, title)
        static = box.query_one(Static)
        if text == self._help:
            return
        self._help = text
        # A new layout of the screen costs more than the text: it is asked for only where the text is longer than
        # the panel, before or now.
        width = static.size.width
        if width:
            static.styles.height = max(box.scrollable_content_region.height, text.get_height({}, width))
        static.update(text, layout=not width)  # before the first layout its height is not known yet
        box.scroll_to(y=0, animate=False)
        self.call_after_refresh(self._name_key)

    def show_facts(self, facts: RecipeFacts, forecasting: str = "") -> None:
        """Show what a run would take of the memory.

        Args:
            facts: the facts.
            forecasting: what becomes of the exact forecast, a sentence, or "".
        """
        retitle(self.query_one("#memory"), memory_title(facts))
        self.query_one(MemoryBar).show(memory_parts(facts), memory_limit(facts), memory_words(facts, forecasting))

    def show_checks(self, checks: Sequence[ChecklistItem]) -> None:
        """Show the checks before the start."""
        retitle(self.query_one("#checks"), f"preflight: {tally(checks)}")
        self.query_one(CheckList).show(checks)
        self.call_after_refresh(self._name_key)


def retitle(widget: Widget, title: str) -> None:
    """Give a box another title; it is only redrawn if the title has changed."""
    content = Content(title)
    if widget.border_title != content.markup:
        widget.border_title = content


def tally(checks: Sequence[ChecklistItem]) -> str:
    """How many checks stop, warn and are fine: `1 stop, 2 warnings, 4 ok`."""
    stops = sum(check.standing == "stop" for check in checks)
    warnings = sum(check.standing == "warn" for check in checks)
    fine = sum(check.standing == "ok" for check in checks)
    parts = (
        f"{stops} stop{'s' * (stops != 1)}" if stops else "",
        f"{warnings} warning{'s' * (warnings != 1)}" if warnings else "",
        f"{fine} ok" if fine else "",
    )
    return ", ".join(part for part in parts if part) or "checking"
