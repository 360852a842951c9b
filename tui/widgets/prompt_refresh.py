"""A widget whose changes reach the screen at once: those of one moment are one update on the wire."""

from __future__ import annotations

from typing import Self

from textual.geometry import Region
from textual.widget import Widget


class PromptRefresh(Widget):
    """Marks itself dirty on its screen, where Textual's widgets send two messages, which arrive in another frame."""

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As a widget's; what needs layout or composing takes its way."""
        if layout or recompose or not repaint or not self.is_mounted or not self.display:
            return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        self._layout_cache.clear()  # holds what `render` returned: without this the header kept its old clock
        self._set_dirty(*regions)
        if not regions:
            self.clear_cached_dimensions()
            self._rich_style_cache.clear()
        screen = self.screen
        screen._dirty_widgets.add(self)
        screen.check_idle()
        return self
