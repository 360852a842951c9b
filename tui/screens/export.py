"""Placeholder until the screen is written."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget
from textual.widgets import Static

from tui.screens.base import StepScreen


class ExportScreen(StepScreen):
    """Not written yet."""

    STEP = "export"

    def compose_body(self) -> Iterable[Widget]:
        """Nothing yet."""
        yield Static("", markup=False)
