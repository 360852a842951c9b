"""What of the data can be trained on, in words: rows that are no samples, rows left out by flag, mixed kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.clean import clean_line
from core.dataset.sample import KINDS, SampleKind
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.recipe.generation import drop_flags
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.tasks import TASKS, Task
from core.units import rows_words

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

WARN, STOP = 0.01, 0.2
"""Shares of rows that cannot be read: above the first a warning, above the second the run does not start."""

FIELD = "data.allow_unreadable"
FindingLevel = Literal["ok", "warn", "stop"]

_REASONS = 2


@dataclass(frozen=True, slots=True)
class RowFinding:
    """One line on the rows.

    Attributes:
        verdict: `stop` keeps the run from starting.
        sentence: what was found, where, and what to do.
        path: the field to change, or "".
        topic: `rows` where all rows were counted, `data` for what the first rows show.
        brief: the same in two or three words, for the field's row; may be "".
    """

    verdict: FindingLevel
    sentence: str
    path: str = ""
    topic: str = "rows"
    brief: str = ""


def source_words(dataset: Dataset, task: Task, *, training: bool) -> Iterator[RowFinding]:
    """What the files of a dataset are read as, from their first rows, and whether a task can train on it.

    Args:
        dataset: the training data, or the eval files.
        task: what would be trained.
        training: whether these are the training data; an eval file is always named.
    """
    files = dataset.recognitions.at_open()
    first = files[0]
    lead = "" if len(dataset.reader.files) > 1 or training else f"{clean_line(first.file.name, 60)}: "
    alike = all(each.known == 1 and each.found == first.found for each in files)
    for each in files[:1] if alike else files:
        name = lead if alike else f"{clean_line(each.file.name, 60)}: "
        if not each.found.known:
            whole: FindingLevel = "stop" if not any(one.found.known for one in files) else "warn"
            do = f"Say which column is which in {'data.columns' if training else 'data.eval_columns'} (M on Data)."
            why = clean_line(each.found.why.replace("Say which column is which.", do))
            yield RowFinding(whole, f"{name}The format was not recognized: {why}", topic="data")
            continue
        for number, found in enumerate(each.first):
            also = "" if not number else "also "
            yield RowFinding("ok", f"{name}{also}{clean_line(found.why)}", topic="data")
    kinds = dict.fromkeys(kind for each in files for kind in each.kinds)
    for kind in kinds:
        if kind not in task.samples:
            those = [clean_line(each.file.name, 60) for each in files if kind in each.kinds]
            where = "these samples" if alike and len(kinds) == 1 else f"samples of {', '.join(those[:3])}"
            others = [other.name for other in TASKS.values() if kind in other.samples]
            words = f"The task {task.name} trains on {task.wants}, but {where} are {KINDS[kind]}. "
            words += f"Choose another task ({', '.join(others)})" if others else "Choose another task"
            yield RowFinding("stop", f"{words}{'.' if len(kinds) == 1 else ', or remove them.'}", topic="data")
        elif kind in task.unused:
            yield RowFinding("warn", task.unused[kind], topic="data")
    if len(kinds) > 1 and all(kind in task.samples for kind in kinds):
        listed = " and ".join(KINDS[kind] for kind in kinds)
        yield RowFinding("warn", f"Mixed kinds of samples: {listed}.")


def row_findings(view: CuratedView, recipe: Recipe) -> list[RowFinding]:
    """What a view says of all rows: those that cannot be read, those left out by flag, and the kinds of samples.

    Args:
        view: the view of the recipe.
        recipe: with what it trains, and whether unreadable rows are accepted.
    """
    manifest = view.manifest
    counts: Mapping[str, Any] = manifest.get("unreadable") or {}
    found = [*unreadable(counts.get("train"), recipe)]
    for path, mixed in (counts.get("mix") or {}).items():
        found += unreadable(mixed, recipe, f"Mixed in from {Path(path).name}: ", "data.mix")
    held = counts.get("eval")
    if held and not view.eval_count:
        why = _reasons(held)
        words = (
            f"No row of the eval file can be used for evaluation{f': {why}' if why else ''}. A prompt without an "
            "answer has no eval loss."
        )
        do = "Map its columns with data.eval_columns, or clear data.eval to hold out a share of the training data."
        found.append(RowFinding("stop", clean_line(f"{words} {do}", 1_000), "data.eval"))
    else:
        found += unreadable(held, recipe, "Eval file: ", "data.eval_columns")
    found += left_out(view.dropped, recipe)
    kinds = manifest.get("kinds") or {}
    found += _kinds(kinds.get("train") or {}, recipe, "data.train")
    found += _kinds(kinds.get("eval") or {}, recipe, "data.eval")
    return found


def refuse_rows(view: CuratedView, recipe: Recipe) -> list[RowFinding]:
    """Refuses to train on a view of which too much is missing.

    Returns:
        What the events of the run are to say: what was left out, and warnings.

    Raises:
        BadInput: naming the field.
    """
    found = row_findings(view, recipe)
    stops = [each for each in found if each.verdict == "stop"]
    if stops:
        more = len(stops) - 1
        words = "" if not more else f"There {'is 1 more problem' if more == 1 else f'are {more} more problems'}"
        raise BadInput(stops[0].sentence.rstrip("."), where=stops[0].path, do=words)
    return found


def unreadable(
    counts: Mapping[str, Any] | None, recipe: Recipe, lead: str = "", mapping: str = "data.columns"
) -> Iterator[RowFinding]:
    """What to say of the rows that cannot be read; nothing where there are none.

    Args:
        counts: see `core.dataset.view.row_counts.RowCounts.to_json`.
        recipe: whether they are accepted.
        lead: whose rows they are, where they are not the training data's.
        mapping: the field that names their columns.
    """
    missing = counts["unreadable"] + counts["malformed"] if counts else 0
    if not counts or not missing:
        return
    share = missing / counts["rows"]
    shown = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.001 else "under 0.1%"
    verb = "is" if missing == 1 else "are"
    many = f"{missing:,} of {counts['rows']:,} row{'s' * (counts['rows'] != 1)} ({shown})"
    refused = share > STOP and not recipe.data.allow_unreadable
    skipped = "" if refused else " and will be skipped"
    words = f"{lead}{many} {verb} unreadable{skipped}: {_reasons(counts)}."
    if refused:
        do = f"Map the columns ({mapping}), fix the file, or set {FIELD} to train without these rows."
        yield RowFinding("stop", clean_line(f"{words} {do}", 1_000), FIELD, brief=f"{shown} unreadable")
    elif share > WARN:
        accepted = f" Allowed by {FIELD}." if share > STOP else ""
        field = FIELD if share > STOP else mapping
        yield RowFinding("warn", clean_line(f"{words}{accepted}", 1_000), field, brief=f"{shown} unreadable")
    else:
        yield RowFinding("ok", clean_line(words, 1_000))


def left_out(dropped: Mapping[str, int], recipe: Recipe) -> Iterator[RowFinding]:
    """How many rows each of the flags to drop leaves out; nothing where it is none.

    Args:
        dropped: reason to number of rows.
        recipe: with the flags.
    """
    found = [(name, dropped[name]) for name in drop_flags(recipe) if dropped.get(name)]
    if found:
        listed = ", ".join(f"{name} {number:,}" for name, number in found)
        many = sum(number for _, number in found)
        words = f"{many:,} flagged {'row is' if many == 1 else 'rows are'} dropped: {listed}."
        yield RowFinding("ok", words, "data.drop_flags", brief=f"drops {rows_words(many)}")


def _reasons(counts: Mapping[str, Any]) -> str:
    """The file with most of them, and why: `b.jsonl: no `messages` in this row (12 rows)`."""
    files = counts["files"]
    if not files:
        return ""
    worst = files[0]
    why = "; ".join(
        f"{clean_line(each['reason'], 200)} ({each['rows']:,} row{'s' * (each['rows'] != 1)})"
        for each in worst["reasons"][:_REASONS]
    )
    more = f"; also in {len(files) - 1} more file{'s' * (len(files) != 2)}" if len(files) > 1 else ""
    return f"{clean_line(Path(worst['file']).name, 120)}: {why}{more}"


def _kinds(kinds: Mapping[SampleKind, int], recipe: Recipe, path: str) -> Iterator[RowFinding]:
    task = TASKS[recipe.task]
    total = sum(kinds.values())
    wrong = {kind: number for kind, number in kinds.items() if kind not in task.samples}
    which = "" if path == "data.train" else f"{KNOBS[path].title}: "
    for kind, number in wrong.items():
        words = f"{which}{number:,} of {total:,} samples are {KINDS[kind]}, but {task.title} trains on {task.wants}."
        yield RowFinding("stop", f"{words} Remove that file, drop these rows, or choose another task.", path)
    if len(kinds) > 1 and not wrong:
        listed = " and ".join(f"{number:,} {KINDS[kind]}" for kind, number in sorted(kinds.items()))
        unused = " ".join(task.unused[kind] for kind in kinds if kind in task.unused)
        yield RowFinding("warn", f"{which}Mixed kinds of samples: {listed}. {unused}".rstrip(), path)
