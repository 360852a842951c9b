"""An app on a workspace of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tui.app import TunedeckApp
from tui.session import Session


@pytest.fixture
def make_app(tmp_path: Path) -> Callable[..., TunedeckApp]:
    """A function that makes an app: `make_app(start="runs", run=folder)`."""

    def make(start: str = "data", **fields: object) -> TunedeckApp:
        session = Session(tmp_path)
        for name, value in fields.items():
            setattr(session, name, value)
        return TunedeckApp(session, start=start)

    return make
