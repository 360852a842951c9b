"""Changes the height of a view that draws its own lines without a layout of the screen."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView


def set_height(view: ScrollView, width: int, height: int) -> None:
    """Tell a view how many lines it has.

    Setting `virtual_size` lays out the whole screen, about 50 ms, only because a scroll bar might appear. A view
    whose bar is always there (`overflow-y: scroll`) only needs a new thumb.
    """
    view.set_reactive(ScrollView.virtual_size, Size(width, height))
    view.vertical_scrollbar.window_virtual_size = height
