"""What viewers see of a run of several ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.engine.worker import Worker


def report_ranks(worker: Worker, facts: Mapping[str, Any]) -> None:
    """Writes what was found of the ranks: as an event, and with their identities into the status.

    Args:
        worker: the job's folder.
        facts: of `core.engine.ranks.check`.
    """
    devices = ", ".join(facts["devices"])
    words = f"{facts['world_size']} ranks run as {facts['distributed_type']} over {facts['backend']}: {devices}."
    worker.event("ranks", words, **facts)
    worker.status(ranks=facts["ranks"], world_size=facts["world_size"], distributed_type=facts["distributed_type"])
