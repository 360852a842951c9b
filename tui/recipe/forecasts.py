"""Exact memory forecasts behind the form: computed by a separate service while the form is open."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.recipe.recipe import to_json
from core.runs.exact_memory import ExactMemory, keep_exact
from core.runs.known_memory import KnownMemory

if TYPE_CHECKING:
    from core.jobs.service import Service

SWITCH = "TUNEDECK_FORECAST"
"""The variable that turns off forecasts that start by themselves, with the value `off`."""


class ExactForecasts:
    """Asks for one forecast at a time; the newest question replaces those that wait.

    Args:
        workspace: the folder that holds `.tunedeck`; forecasts are kept there.
        done: called, in a thread of the service's, when one has ended.
    """

    def __init__(self, workspace: Path, done: Callable[[], object]) -> None:
        self._workspace, self._done = workspace, done
        self._service: Service | None = None
        self._future: Future[Any] | None = None
        self._faults: dict[str, str] = {}
        self._asked = ""

    @property
    def automatic(self) -> bool:
        """Whether forecasts may start by themselves."""
        return os.environ.get(SWITCH, "").lower() != "off"

    def asking(self, known: KnownMemory | None) -> bool:
        """Whether the forecast of just this recipe is being computed."""
        future = self._future
        return known is not None and known.key == self._asked and future is not None and not future.done()

    def fault(self, known: KnownMemory | None) -> str:
        """Why there is no exact forecast of this recipe, a sentence; "" where there is one or nobody has tried."""
        return "" if known is None else self._faults.get(known.key, "")

    def ask(self, known: KnownMemory) -> None:
        """Has the forecast of a recipe computed, unless it is known, under way, or has failed."""
        if not known.key or known.exact is not None or known.key in self._faults or self.asking(known):
            return
        if self._future is not None:
            self._future.cancel()
        self._asked = known.key
        future = self._started().submit(
            "forecast",
            recipe=to_json(known.recipe),
            device=known.device,
            lengths=[list(each) for each in known.lengths],
        )
        self._future = future
        future.add_done_callback(lambda ended: self._take(known.key, ended))

    def wait(self, seconds: float) -> None:
        """Waits a moment for the forecast that is under way."""
        if self._future is not None:
            try:
                self._future.exception(timeout=seconds)
            except (TimeoutError, Exception):
                return

    def close(self) -> None:
        """Ends the service."""
        if self._service is not None:
            self._service.close()

    def _take(self, key: str, future: Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            answer = future.result()
            keep_exact(self._workspace, key, ExactMemory(int(answer["peak"]), int(answer["held"])))
        else:
            self._faults[key] = str(error)
        self._done()

    def _started(self) -> Service:
        if self._service is None:
            from core.jobs.launch import worker_python
            from core.jobs.service import Service

            self._service = Service([worker_python(), "-m", "core.training.forecaster"])
        return self._service
