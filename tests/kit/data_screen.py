"""What the tests of the data screen share: rows, and what the screen shows."""

from __future__ import annotations

import json
from collections.abc import Callable

from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from tui.app import TunedeckApp
from tui.data.dataset_pane import DatasetPane
from tui.data.screen import DataScreen
from tui.widgets.sample_list import SampleList
from tui.widgets.sample_view import SampleView

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


def dataset(app: TunedeckApp) -> DatasetPane:
    """The dataset that is open."""
    pane = data_screen(app).dataset
    assert pane is not None
    return pane


def rows_list(app: TunedeckApp) -> SampleList:
    return app.screen.query_one("#list", SampleList)


def sample_view(app: TunedeckApp) -> SampleView:
    return app.screen.query_one("#sample", SampleView)


def counts(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#counts", Static)).strip().lower()


def sample_text(app: TunedeckApp) -> str:
    return text_of(sample_view(app).text)


def list_text(app: TunedeckApp) -> str:
    """What the list shows; "" where no dataset is open, or another one takes its place."""
    found = app.screen.query("#list")
    return text_of(found.first()) if found else ""


def line(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#line", Static))


def scanned(app: TunedeckApp) -> Callable[[], bool]:
    return lambda: line(app).strip().startswith("scanned")
