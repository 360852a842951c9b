"""The process that starts the queued runs of a workspace: `python -m core.runs.run_queue WORKSPACE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from core.jobs import queue_runner
from core.runs.commands import commands_of


def main(argv: Sequence[str]) -> int:
    """The runner, see `core.jobs.queue_runner.main`."""
    return queue_runner.main(argv, commands_of)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
