"""An app on a workspace of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.app_waiting import settled
from tests.kit.data_screen import chat
from tui.app import TunedeckApp
from tui.session import Session


@pytest.fixture(autouse=True)
def nothing_goes_by_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pilot.pause` and `pilot.press` wait until all is done and drawn; rows are drawn however long it takes."""
    for module in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{module}.wait_for_idle", settled)
    for budget in ("sample_list._PAINT_BUDGET", "sample_list._SLICE", "text_view._FIRST_SLICE", "text_view._SLICE"):
        monkeypatch.setattr(f"tui.widgets.{budget}", 60.0)


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., TunedeckApp]:
    """A function that makes an app: `make_app(start="runs", run=folder)`."""

    def make(start: str = "data", **fields: object) -> TunedeckApp:
        session = Session(tmp_path)
        for name, value in fields.items():
            setattr(session, name, value)
        return TunedeckApp(session, start=start)

    return make


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """Five rows and a bad line: rows 1, 2 and 3 are fine, 4 repeats 1, 5 has no answer."""
    path = tmp_path / "tickets.jsonl"
    rows = [chat("first"), chat("second"), "{broken", chat("third"), chat("first"), chat("fifth", "")]
    path.write_text("\n".join(rows) + "\n")
    return path
