"""The overview's job behind its screen: found or started, followed in a thread, and told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TunedeckError

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from core.recipe.recipe import Recipe

_PERIOD = 0.25


@dataclass(frozen=True, slots=True)
class OverviewNews:
    """How far an overview is.

    Attributes:
        facts: as `core.runs.overview_job.read_facts`, with `tokens_words` and `cost`; None while there are none.
        doing: what the job does now, in words; "" when it is over.
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
        tell: hears the news and whose they are, in a thread.
    """

    def __init__(
        self, workspace: Path, recipe: Recipe, base: Path, tell: Callable[[OverviewWork, OverviewNews], object]
    ) -> None:
        self._workspace, self._given, self._base = workspace, recipe, base
        self._tell = tell
        self._ended = threading.Event()
        self._told: OverviewNews | None = None
        threading.Thread(target=self._run, name="overview", daemon=True).start()

    def stop(self) -> None:
        """Follow no longer; the job goes on by itself."""
        self._ended.set()

    def _run(self) -> None:
        try:
            self._follow()
        except (OSError, TunedeckError) as fault:  # whatever it is, the screen must not say "starting" for ever
            self._say(OverviewNews(problem=str(fault)))

    def _follow(self) -> None:
        from core.runs.overview_job import find_or_start

        recipe = self._recipe()
        folder = find_or_start(self._workspace, recipe)
        over = False
        while not self._ended.is_set():
            news, over = self._look(folder, recipe, over)
            self._say(news)
            if over and not news.doing:
                return
            self._ended.wait(_PERIOD)

    def _recipe(self) -> Recipe:
        from core.recipe.mapped import with_mapping
        from core.recipe.paths import absolute

        return with_mapping(absolute(self._given, self._base), self._workspace)

    def _look(self, folder: JobFolder, recipe: Recipe, was_over: bool) -> tuple[OverviewNews, bool]:
        """The news; the last ones are read when the job was over before, so that nothing it wrote is missed."""
        from core.jobs.state import standing
        from core.runs.overview import cost_of
        from core.runs.overview_job import read_facts
        from core.runs.pace import pace_of
        from tui.settings import load_settings

        now = standing(folder)
        facts = read_facts(folder)
        doing = "" if was_over else now.status.phase or "starting"
        failed = "" if now.state in ("finished",) or not now.over else now.detail
        if facts is None:
            return OverviewNews(doing=doing, problem=failed), now.over
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
        return OverviewNews(facts, doing), now.over

    def _say(self, news: OverviewNews) -> None:
        if news != self._told and not self._ended.is_set():
            self._told = news
            self._tell(self, news)


def _tokens_words(recipe: Recipe, doing: str, failed: str) -> str:
    """Why the tokens are not known yet, or cannot be."""
    if not recipe.model.path:
        return "no model is chosen, and tokens are the model's own: press 2 and fill it in"
    if doing:
        return "being counted; the tokenizer takes some ten seconds to load"
    return f"cannot be counted: {failed}" if failed else ""
