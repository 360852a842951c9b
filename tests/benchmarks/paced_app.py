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


class PacedApp(tui.app.TunedeckApp):
    """The program, looking at the clock every two milliseconds from its first mount on."""

    async def on_event(self, event: object) -> None:
        """Starts the clock with the program."""
        await super().on_event(event)  # type: ignore[arg-type]
        if isinstance(event, Mount) and not LATE:
            LATE.append(0.0)
            CLOCKS.append(asyncio.create_task(_watch()))


LATE: list[float] = []
CLOCKS: list[asyncio.Task[None]] = []


async def _watch() -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(PERIOD)
        LATE.append(time.perf_counter() - before - PERIOD)
        if len(LATE) > 200_000:
            LATE[:] = sorted(LATE)[-1_000:]


if __name__ == "__main__":
    tui.app.TunedeckApp = PacedApp  # type: ignore[misc]
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(sorted(LATE)[-100:]), encoding="ascii")
    sys.exit(code)
