"""The overview's job behind its screen: found or started, and followed in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.jobs.status import DONE, Status
from tui.follow_job import PERIOD, JobFollower, ended_early

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from core.jobs.state import JobState
    from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class OverviewUpdate:
    """How far an overview is.

    Attributes:
        facts: as `core.runs.overview_job.read_facts`, with `tokens_words` and `cost`; None while there are none.
        doing: what the job does now and how far it is, in words; "" when it is over.
        problem: why there are no facts, a sentence, or "".
    """

    facts: dict[str, Any] | None = None
    doing: str = ""
    problem: str = ""


class OverviewWork:
    """Follows one overview until it is whole.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: as it stands in the form; its relative paths are taken from `base`.
        base: see there.
        post: called with each update and whose it is, in a thread.
    """

    def __init__(
        self, workspace: Path, recipe: Recipe, base: Path, post: Callable[[OverviewWork, OverviewUpdate], object]
    ) -> None:
        self._workspace, self._recipe, self._base = workspace, recipe, base
        self._posted: OverviewUpdate | None = None
        self._follower = JobFollower(
            "overview",
            start=self._start,
            look=self._look,
            failed=lambda words: OverviewUpdate(problem=words),
            post=lambda update: post(self, update),
        )
        self._follower.begin()

    def stop(self) -> None:
        """Stop following; the job continues in the background."""
        self._follower.close()

    def _start(self) -> JobFolder:
        from core.recipe.mapped import with_mapping
        from core.recipe.paths import absolute
        from core.runs.overview_job import job_of

        self._recipe = with_mapping(absolute(self._recipe, self._base), self._workspace)
        return job_of(self._workspace, self._recipe).start()

    def _look(self, folder: JobFolder, now: JobState) -> float | None:
        update = self._read_update(folder, now)
        if update != self._posted:
            self._posted = update
            self._follower.say(update)
        return None if now.over else PERIOD

    def _read_update(self, folder: JobFolder, now: JobState) -> OverviewUpdate:
        from core.runs.overview import cost_of
        from core.runs.overview_job import read_facts
        from core.runs.pace import pace_of
        from tui.settings import load_settings

        recipe = self._recipe
        facts = read_facts(folder)
        doing = "" if now.over else progress_words(now.status)
        failed = "" if now.state == "finished" or not now.over else now.detail or ended_early(now, "overview")
        if facts is None:
            return OverviewUpdate(doing=doing, problem=failed)
        facts |= {"cost": None, "tokens_words": _tokens_words(recipe, doing, failed)}
        if facts["tokens"]:
            settings = load_settings()
            facts["cost"] = cost_of(
                recipe,
                facts["tokens"],
                per_million=settings.price_per_million_tokens,
                per_hour=settings.price_per_hour,
                currency=settings.currency,
                pace=pace_of(recipe, self._workspace),
            )
        return OverviewUpdate(facts, doing)


def progress_words(status: Status) -> str:
    """What the job does and how far it is: `Building the training set: 42,043 of 46,375 rows`."""
    if status.phase == DONE:
        return ""
    return status.doing or "starting"


def _tokens_words(recipe: Recipe, doing: str, failed: str) -> str:
    """Why the tokens are not known yet, or cannot be."""
    if not recipe.model.path:
        return "no model selected, and the tokenizer comes with the model: press 2 and fill in Model"
    if doing:
        return "being counted (loading the tokenizer takes about ten seconds)"
    return f"cannot count them: {failed}" if failed else ""
