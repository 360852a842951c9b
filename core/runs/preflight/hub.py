"""The line about the Hub: whether a model that is not on this machine can be downloaded, and fits the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from core import units
from core.errors import BadInput
from core.recipe.hub_access import HubAccess, ask_hub, endpoint, offline
from core.recipe.model_files import NotDownloaded, can_be_downloaded, find, hub_cache, is_here
from core.runs.preflight.line import PreflightFinding, ok, stop, wait, warn
from core.runs.preflight.seen import BeforeStart
from core.runs.preflight.slow import SlowAnswers

_ANSWERS: SlowAnswers[HubAccess] = SlowAnswers(lambda found: 600.0 if found.standing == "there" else 30.0)


def access(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Asks the Hub once about a model that is still to be downloaded."""
    path, revision = seen.recipe.model.path, seen.recipe.model.revision
    if not _to_download(path, revision):
        return
    found = _ANSWERS.get((endpoint(), path, revision, offline()), lambda: ask_hub(path, revision), wait=seen.wait)
    if found is None:
        yield wait(f"Asking the Hub about {path}.", "model.path")
        return
    what, do = found.refusal(path)
    if what:
        yield (warn if seen.later else stop)(f"{what}. {do}.", "model.path", _BRIEF.get(found.standing, ""))
        return
    place = next(folder for folder in (hub_cache(), *hub_cache().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    size = units.size(found.size) if found.size else "an unknown amount"
    if found.size > free:
        words = f"{path} takes {size} to download, but only {units.size(free)} is free in {place}."
        yield stop(
            f"{words} Free some space, or set HF_HUB_CACHE to a folder on a larger disk.", "model.path", "no room"
        )
    else:
        yield ok(f"{path} can be downloaded: {size}, {units.size(free)} free in {place}.")


_BRIEF = {"gated": "gated", "missing": "not on the Hub", "unreachable": "Hub not reached", "offline": "offline"}


def _to_download(path: str, revision: str) -> bool:
    try:
        find(path, revision)
    except NotDownloaded:
        return True
    except BadInput:
        return False
    return not Path(path).expanduser().exists() and can_be_downloaded(path) and not is_here(path, revision)
