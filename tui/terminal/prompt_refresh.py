"""A widget whose changes reach the screen immediately: changes made together are one update on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget

from tui.terminal.fence import Part, holds
from tui.terminal.pen import Stretch

_PROMPT = holds(Part.PROMPT)


class PromptRefresh(Widget):
    """Marks itself dirty on its screen, where Textual's widgets send two messages, which arrive in another frame."""

    _held: ClassVar[bool] = False
    """Whether a caller will draw what is dirty."""

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As a widget's; what needs layout or composing is left to Textual."""
        if not _PROMPT or layout or recompose or not repaint or not self.is_mounted or not self.display:
            return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        self._layout_cache.clear()  # holds what `render` returned: without this the header kept its old clock
        self._set_dirty(*regions)
        if not regions:
            self.clear_cached_dimensions()
            self._rich_style_cache.clear()
        screen = self.screen
        screen._dirty_widgets.add(self)
        if not PromptRefresh._held:
            screen.check_idle()
        return self

    def stretches(self, wanted: Region, region: Region) -> list[Stretch] | None:
        """The cells of a part of the widget as they go to the terminal, or None where Textual must render them.

        Args:
            wanted: the part, on the screen.
            region: where the widget lies on the screen.
        """
        return None


@contextmanager
def drawn_at_once(screen: Screen[None]) -> Iterator[None]:
    """What changes within is drawn at its end, without the three turns of the event loop that a frame of Textual waits.

    Anything that needs more than painting, such as a layout, takes Textual's way.
    """
    if not _PROMPT:
        yield
        return
    PromptRefresh._held = True
    try:
        yield
    finally:
        PromptRefresh._held = False
    if not screen._dirty_widgets:
        return
    waits = screen._layout_required or screen._scroll_required or screen._repaint_required or screen._recompose_required
    if waits or not screen.is_current or screen.app._batch_count:
        screen.check_idle()
        return
    screen._compositor.update_widgets(screen._dirty_widgets)
    screen._compositor_refresh()
