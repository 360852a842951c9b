"""Keeps the folder of a running job whole: what a cleaner by age takes is touched daily, or else written again.

A machine that deletes what was not used for some days begins with `job.json`, `recipe.yaml` and `data/`: a run writes
them once and reads them at its start.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from core.jobs import files
from core.jobs.folder import JobFolder

TOUCH_EVERY = 86_400.0
"""Seconds between two touches of all files."""
RESTORE_AFTER = 10.0
"""Seconds that nothing else may vanish from the folder before a missing file is written again: it may be deleted."""


class Upkeep:
    """For the keeper, which looks once a second.

    Args:
        folder: the job's folder.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._kept: dict[Path, tuple[tuple[int, int], bytes]] = {}
        self._left: frozenset[str] = frozenset()
        self._calm_since: float | None = None
        self._touch_at = 0.0

    def look(self) -> list[str]:
        """Does what is due; returns a sentence on each file that was written again.

        Raises:
            DiskFull, Unreachable: it could not be written.
        """
        now = time.monotonic()
        if now >= self._touch_at:
            self._touch_at = now + TOUCH_EVERY
            self._touch()
        missing = [path for path in (self._folder.job, self._folder.recipe) if not self._remember(path)]
        if not missing or not self._stays(now):
            return []
        for path in missing:
            files.replace(os.fspath(path), self._kept[path][1], durable=True)
        names = " and ".join(path.name for path in missing)
        return [
            f"{names} disappeared from the run's folder and was restored. Does something delete old files there? "
            "`tunedeck doctor` checks for that."
        ]

    def _remember(self, path: Path) -> bool:
        """Whether a file is there, or never was; its contents are kept."""
        try:
            found = os.stat(path)
            stamp = (found.st_mtime_ns, found.st_ino)
            if path not in self._kept or self._kept[path][0] != stamp:
                self._kept[path] = stamp, path.read_bytes()
        except FileNotFoundError:
            return path not in self._kept
        except OSError:
            pass
        return True

    def _stays(self, now: float) -> bool:
        """Whether the folder is there and nobody is deleting it."""
        if not os.path.isdir(self._folder.path):
            self._calm_since = None
            return False
        left = frozenset(
            os.path.join(where, name)
            for where, folders, names in os.walk(self._folder.path)
            for name in (*folders, *names)
            if not name.endswith(".tmp")
        )
        calm, self._left = self._calm_since is not None and self._left <= left, left
        if not calm:
            self._calm_since = now
        if self._calm_since is None or now - self._calm_since < RESTORE_AFTER:
            return False
        self._calm_since = None
        return True

    def _touch(self) -> None:
        for where, _, names in os.walk(self._folder.path):
            for path in (where, *(os.path.join(where, name) for name in names)):
                try:
                    os.utime(path, follow_symlinks=False)
                except OSError:
                    continue  # tomorrow again
