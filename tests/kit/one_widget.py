"""An app with one painted widget, what it shows, and what it sends."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.geometry import Region

from tui.themes import load_themes
from tui.widgets.painted import Painted


class OneWidget(App[None]):
    """One painted widget under the project's dark theme."""

    def __init__(self, widget: Painted) -> None:
        super().__init__()
        self._widget = widget
        for theme in load_themes()[0]:
            self.register_theme(theme)
        self.theme = "dark"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The project's own variables, for the time before the theme is set."""
        return load_themes()[0][0].variables

    def compose(self) -> ComposeResult:
        """The widget alone."""
        yield self._widget


def text_of(widget: Painted) -> list[str]:
    """What the widget shows, row by row."""
    return ["".join(segment.text for segment in widget.render_line(y)) for y in range(widget.size.height)]


class Sent:
    """What a widget asks to be sent from now on.

    Attributes:
        regions: each region; the whole widget as its own region.
    """

    def __init__(self, widget: Painted) -> None:
        self._widget = widget
        self._refresh = widget.refresh
        self.regions: list[Region] = []
        widget.refresh = self._record  # type: ignore[method-assign]

    def _record(self, *regions: Region, **options: bool) -> Painted:
        self.regions.extend(regions or [self._widget.size.region])
        return self._refresh(*regions, **options)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return sum(region.area for region in self.regions)

    @property
    def text(self) -> str:
        """The glyphs in the regions."""
        rows = text_of(self._widget)
        return "".join(rows[r.y + y][r.x : r.right] for r in self.regions for y in range(r.height))
