"""What the tests of the data screen share: rows, and what the screen shows."""

from __future__ import annotations

import json
from collections.abc import Callable

from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from tui.app import TunedeckApp
from tui.data.screen import DataScreen

MakeApp = Callable[..., TunedeckApp]


def chat(question: str, answer: str = "An answer.") -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns})


def text_of(widget: Widget) -> str:
    """What a widget draws."""
    return "\n".join(strip.text.rstrip() for strip in widget.render_lines(Region(0, 0, *widget.outer_size)))


def data_screen(app: TunedeckApp) -> DataScreen:
    screen = app.screen
    assert isinstance(screen, DataScreen)
    return screen


def counts(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#counts", Static)).strip().lower()


def sample_text(app: TunedeckApp) -> str:
    return text_of(data_screen(app).sample_view.text)


def list_text(app: TunedeckApp) -> str:
    return text_of(data_screen(app).rows_list)


def line(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#line", Static))


def scanned(app: TunedeckApp) -> Callable[[], bool]:
    return lambda: line(app).strip().startswith("scanned")
