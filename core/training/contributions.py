"""What each source has given to a run, as it was trained, for the run's own manifest, once samples are tokens."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.jobs import files


def contributions(manifest: dict[str, Any], tokens: Sequence[int]) -> list[dict[str, Any]]:
    """The contributions of a manifest with what they gave.

    Args:
        manifest: of the curated view.
        tokens: of each sample that is trained on, in the view's order, its tokens after the cut and those of them that
            carry loss; 0 and 0 of one that was left out (`core.engine.samples.EncodingSummary.each`).

    Returns:
        Each contribution with `trained_samples`, `tokens` and `trained_tokens`: of one epoch.
    """
    found = []
    at = 0
    for each in manifest.get("contributions", ()):
        end = at + 2 * each["samples"]
        total, trained = tokens[at:end:2], tokens[at + 1 : end : 2]
        counts = {"trained_samples": sum(map(bool, total)), "tokens": sum(total), "trained_tokens": sum(trained)}
        found.append({**each, **counts})
        at = end
    return found


def note_contributions(data: Path, tokens: Sequence[int]) -> None:
    """Writes them into the manifest of a run; that of the view, which other runs share, stays as it is.

    Args:
        data: the run's folder `data`; one without a manifest is left as it is.
        tokens: as above.
    """
    path = os.fspath(data / "manifest.json")
    manifest = files.read_json(path)
    if manifest is None or os.environ.get("RANK", "0") != "0":
        return
    manifest["contributions"] = contributions(manifest, tokens)
    with contextlib.suppress(files.DiskFull):  # then it has samples only; no run ends over that
        files.replace(path, json.dumps(manifest, indent=1).encode(), durable=False)
