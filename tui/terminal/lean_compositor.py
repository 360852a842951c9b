"""Renders, for a partial update, what changed, and nothing else.

Textual's own renders every widget within the rectangle around all changes: with a chart at the top and a clock at the
foot that is the whole screen, once a second. Here a painted widget gives the cells that it has; of any other, the rows
that changed are rendered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

from tui.terminal.pen import Stretch
from tui.terminal.prompt_refresh import PromptRefresh
from tui.terminal.wire import PaintedUpdate

if TYPE_CHECKING:
    from textual.widget import Widget


class LeanCompositor(Compositor):
    """A compositor whose partial updates cost what has changed."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: list[Region] | None = None

    def render_partial_update(self) -> ChopsUpdate | None:
        """An update of what is dirty, or None if nothing is."""
        painted: list[Stretch] = []
        seen = [(widget, region, region.intersection(clip)) for widget, (region, clip) in self.visible_widgets.items()]
        for dirty in list(self._dirty_regions):
            cells = _painted(seen, dirty)
            if cells is not None:
                painted += cells
                self._dirty_regions.discard(dirty)
        self._wanted = list(self._dirty_regions)
        try:
            rest = super().render_partial_update()
        finally:
            self._wanted = None
        # Textual hands it on to the app, which knows both kinds.
        return cast("ChopsUpdate", PaintedUpdate(painted, rest)) if painted else rest

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        """Region, clip and strips of each widget; for a partial update, of those rows alone that hold a change."""
        if self._wanted is None:
            yield from super()._get_renders(crop)
            return
        uncovered = list(self._wanted)
        for widget, (region, clip) in self.visible_widgets.items():  # from the front
            visible = region.intersection(clip)
            rows = _rows(visible, uncovered)
            if rows is None:
                continue
            yield region, rows, _render(widget, region, rows)
            uncovered = [wanted for wanted in uncovered if not visible.contains_region(wanted)]
            if not uncovered:
                return


def _painted(seen: list[tuple[Widget, Region, Region]], dirty: Region) -> list[Stretch] | None:
    """The cells of a region in which a painted widget alone is seen, or None.

    Args:
        seen: the widgets from the front, each with its region and what is visible of it.
        dirty: the region.
    """
    for widget, region, visible in seen:
        if not visible.overlaps(dirty):
            continue
        if isinstance(widget, PromptRefresh) and visible.contains_region(dirty):
            return widget.stretches(dirty, region)
        return None
    return None


def _rows(visible: Region, wanted: list[Region]) -> Region | None:
    """The rows of what is visible of a widget from the first to the last change in it, or None without any."""
    hits = [region for region in wanted if region.overlaps(visible)]
    if not hits:
        return None
    top = max(visible.y, min(region.y for region in hits))
    bottom = min(visible.bottom, max(region.bottom for region in hits))
    return Region(visible.x, top, visible.width, bottom - top)


def _render(widget: Widget, region: Region, rows: Region) -> list[Strip]:
    return widget.render_lines(Region(rows.x - region.x, rows.y - region.y, rows.width, rows.height))
