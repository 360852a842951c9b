"""The steps from rows to a view: gather what stays, find similar samples, split train from eval, mix, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from core.clean import clean_line
from core.dataset.audit.decisions import Ledger
from core.dataset.checks.base import Flag
from core.dataset.control_text import ControlText
from core.dataset.dataset import Dataset
from core.dataset.eval_place import EvalPlace
from core.dataset.flag_names import UNREADABLE, UNREADABLE_IN_EVAL
from core.dataset.mapping import Chosen
from core.dataset.near.families import Families
from core.dataset.near.leaks import LeakSearch
from core.dataset.near.result import NearOptions, StageProgress, wrong_pairs_words
from core.dataset.records import BadLine, Unreadable
from core.dataset.row_tasks import RowTasks, remarks
from core.dataset.scan.scan import Progress, ScannedRow, Scanner
from core.dataset.view.excluded import EXCLUDED, ExcludedRows
from core.dataset.view.facts import ViewFactsWriter
from core.dataset.view.mixture import Contribution, drawn, wanted
from core.dataset.view.near_split import NearSplit, Sides, near_drops, numbers_apart
from core.dataset.view.row_counts import RowCounts
from core.dataset.view.selection import Selection, with_columns
from core.dataset.view.strata import Strata
from core.dataset.view.view import sync, view_line
from core.errors import BadInput
from core.units import percent

_NEAR = ("near_duplicate", "leak_near")


@dataclass(frozen=True, slots=True)
class EvalFiles:
    """The user's own eval files, and what the user has said of their format and columns."""

    paths: Sequence[str | Path] = ()
    chosen: Chosen = field(default_factory=Chosen)


@dataclass(slots=True)
class _Mixed:
    """A source that is mixed in."""

    path: str
    share: float
    kept: Selection


def _not_evaluable(scanned: ScannedRow) -> str:
    """Why an eval row has no loss to measure, or ""."""
    sample = scanned.sample
    if sample is None:
        return scanned.item.error or "not a sample"
    if sample.kind == "text":
        return "" if sample.text.strip() else "the text is empty"
    if sample.kind == "prompt":
        return ""
    answers = (turn for turn in scanned.item.turns if turn.role == "assistant")
    return "" if any(turn.content.strip() or turn.tool_calls or turn.media for turn in answers) else "no answer"


class Curator:
    """Builds the files of one view. Use it as a context manager; the methods are called in their order here.

    Args:
        folder: where the files are made.
        near_split: how train and eval are split.
        drop_flags: names of checks whose rows are dropped.
        decisions: the user's.
        control: finds special tokens in samples, whose rows are dropped; None where nothing is looked for.
        columns: names of further columns that samples keep.
        tasks: what rows of each task get; None where there is one task.
    """

    def __init__(
        self,
        folder: Path,
        near_split: NearSplit,
        drop_flags: frozenset[str],
        decisions: Ledger,
        control: ControlText | None = None,
        columns: Sequence[str] = (),
        tasks: RowTasks | None = None,
    ) -> None:
        self._folder = folder
        self._tasks = tasks
        self._task_counts: dict[str, Counter[str]] = {"train": Counter(), "eval": Counter()}
        self._columns = columns
        self._near_split = near_split
        self._drop_flags = drop_flags
        self._decisions = decisions
        self._control = control
        self._strata = Strata(near_split.stratify)
        self._seen: set[bytes] = set()
        self._mixed: list[_Mixed] = []
        self._files: list[Path] = []
        self._bad: list[BadLine] = []
        self._eval = self._train = 0
        self._eval_counts: RowCounts | None = None
        self._eval_kinds: Counter[str] = Counter()
        self._first_rows: list[int] = []
        self._sides: Sides | None = None
        self._notes: list[str] = []
        self._leaks: dict[str, int] = {}
        self._contributions: list[Contribution] = []

    def __enter__(self) -> Curator:
        self._stack = ExitStack()
        self._excluded = self._stack.enter_context(ExcludedRows(self._folder / EXCLUDED))
        self._facts = self._stack.enter_context(ViewFactsWriter(self._folder))
        threshold = self._threshold = self._near_split.near or (0.8 if self._drop_flags.intersection(_NEAR) else 0.0)
        self._families = self._stack.enter_context(Families(threshold, self._folder)) if threshold else None
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- gathering ------------------------------------------------------------------------------------------

    def gather(
        self,
        dataset: Dataset,
        eval_files: EvalFiles,
        on_progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Reads the dataset.

        Raises:
            BadInput: no sample is left, or no row has the column to stratify by.
            Stopped: `should_stop` said so.
        """
        self._kept = self._selection(dataset, "kept.jsonl", eval_files, self._tasks)
        scanner = Scanner(
            dataset,
            eval_paths=eval_files.paths,
            eval_chosen=eval_files.chosen,
            synthetic=self._near_split.synthetic,
            each_row=self._drop_flags,
        )
        self._kept.gather(scanner, self._facts, on_progress, should_stop)
        self._notes += [f"{each.reason}." for each in scanner.properties]
        self._bad = scanner.bad_lines
        self._note_first_rows(self._kept, dataset)
        self._leaks["exact"] = scanner.counts.get("leak_exact", 0)
        where = self._own_path = ", ".join(map(str, dataset.paths))
        self._strata.check(where)
        self._check_tasks(dataset, where)
        self._need_samples(where)

    def mix_in(
        self,
        dataset: Dataset,
        share: float,
        eval_files: EvalFiles,
        on_progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Reads a further source to train on; its rows are checked and decided on like all others."""
        kept = self._selection(dataset, f"mixed-{len(self._mixed)}.jsonl", eval_files)
        drops, files = self._drop_flags, eval_files
        scanner = Scanner(dataset, eval_paths=files.paths, eval_chosen=files.chosen, each_row=drops)
        kept.gather(scanner, None, on_progress, should_stop)
        self._note_first_rows(kept, dataset)
        self._mixed.append(_Mixed(str(dataset.paths[0]), share, kept))

    def take_eval(self, dataset: Dataset) -> None:
        """Writes the samples of the user's own eval files."""
        first_source = len(self._files)
        self._files += dataset.reader.files
        counts = self._eval_counts = RowCounts(dataset.reader.files)
        dataset.reader.extend()
        scanner = Scanner(dataset, checks=())
        with (self._folder / "eval.jsonl").open("wb") as held:
            for entry, scanned in enumerate(scanner):
                if scanned is None:
                    continue
                self._add_to_searches(dataset, entry, scanned)
                why = _not_evaluable(scanned)
                counts.row(scanned.row.source, why)
                if why or scanned.sample is None:
                    self._kept.dropped[UNREADABLE_IN_EVAL] += 1
                    continue
                source = first_source + scanned.row.source
                sample, task = scanned.sample, "" if self._tasks is None else self._tasks.of(scanned.row.value)
                if self._tasks is not None:
                    self._task_counts["eval"][task] += 1
                    sample = self._tasks.apply(sample, task)
                sample = with_columns(sample, scanned, self._columns)
                held.write(view_line(scanned.key, scanned.number, source, sample, task=task))
                self._eval_kinds[scanned.sample.kind] += 1
                self._eval += 1
            sync(held)
        counts.malformed(scanner.bad_lines)
        self._first_rows += [scanner.first_rows.get(source, 0) for source in range(len(dataset.reader.files))]

    def _add_to_searches(self, dataset: Dataset, entry: int, scanned: ScannedRow) -> None:
        """Gives an eval row's prompt to the searches for leaks; one without an answer has a prompt, too."""
        if not self._searches:
            return
        try:
            sample = scanned.sample or dataset.asked(scanned.row)
        except Unreadable:
            return
        for leaks in self._searches:
            leaks.add_eval(sample, EvalPlace.of(scanned.row), entry, scanned.key)

    @property
    def _searches(self) -> list[LeakSearch]:
        return [each.leaks for each in self._selections if each.leaks is not None]

    @property
    def _selections(self) -> list[Selection]:
        return [self._kept, *(each.kept for each in self._mixed)]

    def _selection(
        self, dataset: Dataset, name: str, eval_files: EvalFiles, tasks: RowTasks | None = None
    ) -> Selection:
        first_source = len(self._files)
        self._files += dataset.reader.files
        leaks = None
        if self._threshold and eval_files.paths:
            leaks = LeakSearch(NearOptions(self._threshold), self._decisions.apart(), self._folder)
            self._stack.callback(leaks.close)
        return Selection(
            self._folder / name,
            dataset.reader.files,
            first_source,
            drop_flags=self._drop_flags,
            decisions=self._decisions,
            control=self._control,
            strata=self._strata,
            seen=self._seen,
            excluded=self._excluded,
            families=self._families,
            leaks=leaks,
            columns=self._columns,
            tasks=tasks,
        )

    def _check_tasks(self, dataset: Dataset, where: str) -> None:
        """Says which tasks do not fit the rows.

        Raises:
            BadInput: no row names a task.
        """
        if self._tasks is None:
            return
        found = Counter(self._kept.tasks)
        if not any(found):
            columns = clean_line(", ".join(dataset.recognition.all_columns), 400) or "none"
            what = f"no row names a task in the column {clean_line(self._tasks.column, 60)!r}"
            raise BadInput(what, where=where, do=f"Set data.task_column to one of the columns: {columns}")
        self._notes += remarks(self._tasks, found)

    def _note_first_rows(self, kept: Selection, dataset: Dataset) -> None:
        self._first_rows += [kept.first_rows.get(source, 0) for source in range(len(dataset.reader.files))]

    def _need_samples(self, where: str) -> None:
        if len(self._kept.gone) < len(self._kept):
            return
        counts = self._kept.dropped + Counter(reason for reason, _ in self._kept.gone.values())
        reasons = ", ".join(f"{name} {times:,}" for name, times in counts.most_common()) or "no rows"
        do = "Keep some rows, or drop fewer rows by flag"
        if counts and counts.most_common(1)[0][0] == UNREADABLE and (files := self._kept.counts.to_json()["files"]):
            reasons += f": {files[0]['reasons'][0]['reason']}"
            do = "Map the columns: data.columns, or M on Data"
        raise BadInput(f"no samples left to train on ({reasons})", where=where, do=do)

    # -- splitting ------------------------------------------------------------------------------------------

    def split(self, tick: StageProgress) -> None:
        """Finds near-duplicates and leaks, and decides what is held out.

        Args:
            tick: told progress; may raise to stop.

        Raises:
            BadInput: nothing is left to train on.
        """
        selections = self._selections
        if self._families is not None:
            keys = chain.from_iterable(each.keys for each in selections)
            self._families.hold_apart(list(numbers_apart(keys, self._decisions.apart())))
        if self._families is not None and "near_duplicate" in self._drop_flags:
            near_drops(self._families, selections, tick)
        self._find_leaks(tick)
        self._need_samples("")
        self._sides = Sides(selections, self._near_split)
        if self._eval or self._near_split.fraction <= 0:
            return
        self._sides.deal(self._families if self._near_split.near else None, tick)
        if not self._sides.held_count:
            self._notes.append(self._sides.why_none)
        if self._sides.held_count >= len(self._kept) - len(self._kept.gone):
            raise BadInput("the split leaves no samples to train on", do="Hold out a smaller fraction")

    def _find_leaks(self, tick: StageProgress) -> None:
        left = 0
        wrong: set[tuple[str, str]] = set()
        for selection in self._selections:
            if selection.leaks is None:
                continue
            own = selection is self._kept
            found = selection.leaks.search(tick)
            wrong.update(selection.leaks.wrong_pairs)
            if own:
                self._leaks["near"] = len(found)
            for leak in found:
                reason = f"{percent(leak.similarity)} similar to the prompt in {leak.place}"
                if own:
                    self._facts.flag(leak.row, (Flag("leak_near", reason, severity="error"),))
                place = selection.place(leak.row)
                if place is None or place in selection.gone:
                    continue
                if not ("leak_near" in self._drop_flags and selection.drop(place, "leak_near", reason)):
                    left += 1
        if wrong:
            self._notes.append(f"{wrong_pairs_words(len(wrong))}.")
        if left:
            prompts, them = ("prompts are", "them") if left > 1 else ("prompt is", "it")
            self._notes.append(
                f"{left:,} training {prompts} {self._near_split.near or 0.8:.0%}+ similar to an eval prompt, so the "
                f"eval loss will reward memorizing. Drop {them} with leak_near."
            )

    # -- writing --------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Writes train and eval, and what was left out."""
        assert self._sides is not None
        with (self._folder / "train.jsonl").open("wb") as train:
            if self._eval:
                self._write_own(train, None)
            else:
                with (self._folder / "eval.jsonl").open("wb") as held:
                    self._write_own(train, held)
                    sync(held)
            self._own_train = self._train
            self._mix(train)
            sync(train)
        self._excluded.flush()

    def _write_own(self, train: BinaryIO, held: BinaryIO | None) -> None:
        assert self._sides is not None
        self._sides.bar(self._kept, 0)
        out = [held is not None and self._sides.held[place] for place in range(len(self._kept))]
        times = self._times(out)
        for place, line in self._kept.lines():
            often = times.get(place, 1)
            if self._tasks is not None:
                part, samples = ("eval", 1) if out[place] else ("train", often)
                self._task_counts[part][self._kept.tasks[place]] += samples
            if held is not None and out[place]:
                self._eval += 1
                held.write(line)
            else:
                self._train += often
                train.write(line * often)
        self._kept.remove()
        if not self._train:
            raise BadInput("no samples left to train on: the weights of all tasks are 0", where="data.tasks")

    def _times(self, held: Sequence[bool]) -> dict[int, int]:
        """How often each sample is trained on, if not once; samples of a task are drawn with the seed."""
        found: dict[int, int] = {}
        for task in () if self._tasks is None else self._tasks.tasks:
            if task.weight == 1:
                continue
            kept = self._kept
            places = [
                place
                for place, name in enumerate(kept.tasks)
                if name == task.name and not held[place] and place not in kept.gone
            ]
            found |= dict.fromkeys(places, 0)
            wanted_samples = round(len(places) * task.weight)
            if places and wanted_samples:
                found |= drawn([kept.keys[place] for place in places], places, wanted_samples, self._near_split.seed)
        return found

    def _mix(self, train: BinaryIO) -> None:
        assert self._sides is not None
        counts = wanted(self._own_train, [each.share for each in self._mixed])
        first = len(self._kept)
        for each, count in zip(self._mixed, counts, strict=True):
            kept = each.kept
            self._sides.bar(kept, first)
            first += len(kept)
            places = [place for place in range(len(kept)) if place not in kept.gone]
            if not places:
                what = "no usable samples in a source to mix in"
                raise BadInput(what, where=each.path, do="Check it with tunedeck scan, or remove it from the mix")
            times = drawn([kept.keys[place] for place in places], places, count, self._near_split.seed)
            for place, line in kept.lines():
                train.write(line * times.get(place, 0))
            kept.remove()
            self._train += count
            self._contributions.append(
                Contribution(each.path, 0.0, kept.rows, len(places), count, True, dict(kept.dropped))
            )

    # -- the outcome ----------------------------------------------------------------------------------------

    def outcome(self) -> dict[str, Any]:
        """The numbers for the manifest."""
        counts = {"rows": self._kept.rows, "train": self._train, "eval": self._eval, "edited": self._kept.edited}
        return {
            "counts": counts,
            "dropped": dict(self._kept.dropped),
            "bad_lines": len(self._bad),
            "synthetic": self._near_split.synthetic,
            "synthetic_samples": sum(self._kept.synthetic),
            "leaks": self._leaks,
            "contributions": [each.to_json() for each in self._sources()],
            **({} if self._tasks is None else {"tasks": self._task_facts()}),
            "files": [str(path.absolute()) for path in self._files],
            "first_rows": self._first_rows,
            "unreadable": {
                "train": self._kept.counts.to_json(),
                "mix": {each.path: each.kept.counts.to_json() for each in self._mixed},
                "eval": None if self._eval_counts is None else self._eval_counts.to_json(),
            },
            "kinds": {
                "train": dict(sum((each.kinds for each in self._selections), Counter[str]())),
                "eval": dict(self._eval_kinds),
            },
            "notes": [*self._notes, *filter(None, [self._kept.review.words])],
            "review": self._kept.review.to_json(),
        }

    def _task_facts(self) -> list[dict[str, Any]]:
        """The samples per task that are trained on (repeats counted) and held out, largest first."""
        assert self._tasks is not None
        train, held = self._task_counts["train"], self._task_counts["eval"]
        names = sorted({*train, *held}, key=lambda name: (-train[name], name))
        weight = self._tasks.weight
        return [{"name": name, "train": train[name], "eval": held[name], "weight": weight(name)} for name in names]

    def _sources(self) -> Iterator[Contribution]:
        """What the dataset and each source that is mixed in contribute."""
        kept = self._kept
        own = Contribution(self._own_path, 0.0, kept.rows, self._own_train, self._own_train, False, dict(kept.dropped))
        for each in (own, *self._contributions):
            share = each.samples / max(self._train, 1)
            yield Contribution(each.path, share, each.rows, each.available, each.samples, each.mixed, each.dropped)
