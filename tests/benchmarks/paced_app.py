"""The real program with a clock in its event loop; writes the longest moments without an answer when it ends.

`python -m tests.benchmarks.paced_app OUT.json [ARGUMENTS OF TUNEDECK]`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from textual.events import Mount

import tui.app
from tui.cli import main

PERIOD = 0.002
WORTH_NOTING = 0.005


class PacedApp(tui.app.TunedeckApp):
    """The program, looking at the clock every two milliseconds from its first mount on."""

    async def on_event(self, event: object) -> None:
        """Starts the clock with the program."""
        await super().on_event(event)  # type: ignore[arg-type]
        if isinstance(event, Mount) and not CLOCKS:
            CLOCKS.append(asyncio.create_task(_watch()))


LATE: list[tuple[float, float]] = []
"""When, on the clock that all processes share, and for how many seconds longer than asked for."""

CLOCKS: list[asyncio.Task[None]] = []


async def _watch() -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(PERIOD)
        late = time.perf_counter() - before - PERIOD
        if late > WORTH_NOTING:
            LATE.append((before, late))


if __name__ == "__main__":
    tui.app.TunedeckApp = PacedApp  # type: ignore[misc]
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(LATE), encoding="ascii")
    sys.exit(code)
