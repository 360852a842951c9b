"""A real scan job that waits at a row until it is asked to stop: `python held_scan.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import core.dataset.scan.scan
from core.dataset.checks.base import Flag
from core.dataset.checks.secrets import Secret
from core.dataset.item import Item
from core.dataset.scan import job as scan_job
from core.dataset.scan.results import SCAN_FOLDER
from core.dataset.scan.resume import was_begun
from core.jobs import requests
from core.jobs.folder import JobFolder
from tests.kit.clock import slow_time
from tests.kit.waiting import until

HELD_AT = 4_000


def main(argv: Sequence[str]) -> int:
    """Scan; the first time no further than row 4,000 without a request. Results are written every 64 rows."""
    folder = JobFolder(argv[0])
    inspect = Secret.inspect
    first_time = not was_begun(folder.path / SCAN_FOLDER)

    def inspected(check: Secret, item: Item) -> Flag | None:
        if first_time and item.row == HELD_AT:
            until(lambda: bool(requests.pending(folder)), "a request to stop")
        return inspect(check, item)

    Secret.inspect = inspected  # type: ignore[method-assign]
    for module in (core.dataset.scan.scan, scan_job):
        module.time = slow_time()  # type: ignore[attr-defined]
    return scan_job.main(list(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
