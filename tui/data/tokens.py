"""The tokens of the rows under the present recipe: read from the cache, counted by a job when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.clean import clean
from core.units import count, rows_words
from tui.data.row_flags import RowFlags
from tui.follow_job import PERIOD, JobFollower, ended_early
from tui.widgets.sample_entry import UNKNOWN, length_words

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from core.dataset.sample import Sample
    from core.jobs.folder import JobFolder
    from core.jobs.state import JobState as JobStanding
    from core.recipe.recipe import Recipe
    from core.runs.token_facts import RowTokens, TokenFacts
    from core.runs.token_key import TokenState

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class TokenUpdate:
    """What is new of the tokens of a dataset.

    Attributes:
        facts: the cache of the present recipe, None where even that is unknown.
        standing: whether it is `known`, `stale` (counted under another recipe only), or there is `none`.
        flags: row to its flags, in addition to earlier ones unless `restart`.
        edited: rows among these that were counted as edited.
        restart: forget earlier updates.
        counting: whether a job counts now.
        words: how far it is, or why it is not, in a few words or a sentence.
        failed: whether the words are an error's.
    """

    facts: TokenFacts | None
    standing: TokenState
    flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict)
    edited: frozenset[int] = frozenset()
    restart: bool = False
    counting: bool = False
    words: str = ""
    failed: bool = False


@dataclass
class TokenColumn:
    """What the list knows of tokens.

    Attributes:
        facts: the cache, None before anybody has looked.
        standing: of that cache.
        flags: row to its flags `zero_trained` and `cut`.
        edited: rows that were counted as edited.
        counting: whether a job counts now.
        words: how far it is.
    """

    facts: TokenFacts | None = None
    standing: TokenState = "none"
    flags: RowFlags = field(default_factory=RowFlags)
    edited: frozenset[int] = frozenset()
    counting: bool = False
    words: str = ""

    def learn(self, update: TokenUpdate) -> None:
        """Take in what is new."""
        if update.restart:
            self.flags, self.edited = RowFlags(), frozenset()
        self.flags.update(update.flags)
        self.edited |= update.edited
        self.facts, self.standing = update.facts, update.standing
        self.counting, self.words = update.counting, update.words

    def of(self, row: int) -> RowTokens | None:
        """The tokens of a row, None where they are not known."""
        return None if self.facts is None or self.standing != "known" else self.facts.row(row)

    def cell(self, row: int | None, edited: Sample | None) -> str:
        """What stands in the list: `214 tokens`, `-` before that is known, `stale` where it was true once.

        Args:
            row: which row, None for a bad line.
            edited: the row's edit, where it has one.
        """
        if self.standing == "stale":
            return "stale"
        found = None if row is None else self.of(row)
        return "stale" if found is not None and outdated(found, edited) else token_words(found)

    def flags_of(self, row: int, edited: Sample | None) -> tuple[Flag, ...]:
        """The flags of a row as it is now: those of a row that was edited since are not known."""
        flags = self.flags.get(row, ())
        if not flags or edited is None:
            return flags
        found = self.of(row)
        return () if found is None or outdated(found, edited) else flags


def token_words(facts: RowTokens | None) -> str:
    """A row's tokens in the list: `214 tokens`, `-` while nobody knows."""
    if facts is None or facts.state == "unreadable":
        return UNKNOWN
    return "refused" if facts.state == "refused" else f"{length_words(facts.total)} tokens"


def outdated(found: RowTokens, edited: Sample | None) -> bool:
    """Whether a row was edited, or an edit taken back, since its tokens were counted."""
    if edited is None:
        return bool(found.edit)
    from core.runs.token_facts import edit_digest

    return found.edit != edit_digest(edited.to_json())


class TokenFollower:
    """Looks tokens up, has them counted and follows the job, in a thread.

    Args:
        dataset: whose rows.
        workspace: the folder that holds `.tunedeck`; paths in the recipe are taken from it.
        post: called in a thread with each update.
    """

    def __init__(self, dataset: Dataset, workspace: Path, post: Callable[[TokenUpdate], object]) -> None:
        self._dataset = dataset
        self._workspace = workspace
        self._post = post
        self._recipe: Recipe | None = None
        self._follower: JobFollower[TokenUpdate] | None = None

    def look(self, recipe: Recipe) -> None:
        """Look up what is known under a recipe, unless it is the one that was looked up last."""
        if recipe != self._recipe:
            self._recipe = recipe
            self._begin(recipe, start=False)

    def count(self, recipe: Recipe) -> None:
        """Have the tokens counted; the job continues without this program."""
        self._recipe = recipe
        self._begin(recipe, start=True)

    def stop_counting(self) -> None:
        """Ask the job to stop; what it has counted is kept."""
        if self._follower is not None:
            self._follower.stop()

    def close(self) -> None:
        """Stop following; a job continues."""
        if self._follower is not None:
            self._follower.close()

    def _begin(self, recipe: Recipe, *, start: bool) -> None:
        self.close()
        self._follower = _Count(self._dataset, self._workspace, recipe, start, self._post).follower
        self._follower.begin()


class _Count:
    """The tokens under one recipe: as they are in the cache, and as a job fills it in.

    Args:
        dataset: whose rows.
        workspace: the folder that holds `.tunedeck`.
        recipe: which.
        start: whether a job is started where none runs.
        post: called with each update.
    """

    def __init__(
        self, dataset: Dataset, workspace: Path, recipe: Recipe, start: bool, post: Callable[[TokenUpdate], object]
    ) -> None:
        self._dataset, self._workspace = dataset, workspace
        self._recipe, self._wanted = recipe, start
        self._read: _Read | None = None
        self._standing: TokenState = "none"
        self.follower = JobFollower("token count", start=self._start, look=self._look, failed=self._failed, post=post)

    def _start(self) -> JobFolder | None:
        from core.runs import token_job
        from core.runs.token_facts import TokenFacts
        from core.runs.token_key import find_facts

        payload = token_job.payload_of(self._dataset, self._recipe, self._workspace, self._workspace)
        cache = Path(payload["cache"])
        self._read = read = _Read(TokenFacts(cache), self.follower.rest)
        self._standing = known = find_facts(self._workspace, *cache.name.split("-")).standing
        job = token_job.job_of(self._workspace, payload)
        folder = job.start() if self._wanted else job.running()
        if folder is None:
            self.follower.say(read.new_update(known, restart=True, words=_words(read.facts, known)))
        else:
            self.follower.say(read.new_update("known", restart=True, counting=True, words=_progress(folder, read.rows)))
        return folder

    def _look(self, folder: JobFolder, now: JobStanding) -> float | None:
        assert self._read is not None
        read = self._read
        if not now.over:
            before = read.rows
            update = read.new_update("known", counting=True, words=_progress(folder, read.facts.count))
            if read.rows != before:
                self.follower.say(update)
            return PERIOD
        # A job that resumes where another was stopped also recounts rows that were edited meanwhile.
        read.rows = 0
        known: TokenState = "known" if read.facts.count else "none"
        words = _words(read.facts, known)
        if now.state == "stopped":
            words = f"token count stopped after {rows_words(read.facts.count)}: press t to resume"
        elif now.state != "finished":
            words = clean(ended_early(now, "token count"))
        failed = now.state not in ("finished", "stopped")
        self.follower.say(read.new_update(known, restart=True, words=words, failed=failed))
        return None

    def _failed(self, words: str) -> TokenUpdate:
        facts = None if self._read is None else self._read.facts
        return TokenUpdate(facts, self._standing, words=clean(words), failed=True)


def _words(facts: TokenFacts, standing: TokenState) -> str:
    """What is known of all rows together; reads the whole cache."""
    if standing == "stale":
        return "token counts are stale: press t to recount"
    if standing == "none":
        return "press t to count tokens"
    totals = facts.totals()
    if not facts.complete:
        return f"tokens counted in {rows_words(totals['rows'])}: press t to resume"
    return f"{count(totals['tokens'])} tokens, {count(totals['trained'])} trained"


def _progress(job: JobFolder, rows: int) -> str:
    of = job.read_status().of
    return f"counting tokens: {count(rows)} of {rows_words(of)}" if of and rows else "counting tokens"


class _Read:
    """Reads what is new in a cache since the last update."""

    def __init__(self, facts: TokenFacts, rest: Callable[[float], bool]) -> None:
        self.facts = facts
        self.rows = 0
        self._rest = rest

    def new_update(
        self, standing: TokenState, *, words: str, restart: bool = False, counting: bool = False, failed: bool = False
    ) -> TokenUpdate:
        """Further rows with a flag or an edit."""
        flags: dict[int, tuple[Flag, ...]] = {}
        edited = set()
        first, self.rows = self.rows, self.facts.count
        for start in range(first, self.rows, _ROWS_AT_ONCE):
            if self._rest(0.001):  # lets the screen's thread run
                break
            for row in self.facts.rows(start, min(self.rows, start + _ROWS_AT_ONCE)):
                if row.flagged:
                    flags[row.row] = self.facts.flags(row)
                if row.edit:
                    edited.add(row.row)
        return TokenUpdate(self.facts, standing, flags, frozenset(edited), restart, counting, words, failed)
