"""Lines about the recipe's fields and its data."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.clean import clean_line
from core.dataset.row_tasks import counts_words, remarks
from core.errors import BadInput, TunedeckError
from core.recipe.generation import kept_columns
from core.recipe.rating_balance import RatingBalance
from core.recipe.recipe import KNOBS
from core.recipe.rules.validate import validate
from core.recipe.tasks import TASKS
from core.runs.known_rows import row_keys
from core.runs.preflight.line import PreflightFinding, ok, stop, warn
from core.runs.preflight.seen import BeforeStart
from core.runs.row_words import left_out, source_words, unreadable

_COUNTING = 0.2
"""Seconds that counting the tasks of the rows may take before the start; the run counts all."""
_COUNTED = 2_000
"""Rows of which labels are counted before the start; the run counts all."""


def fields(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether every field has a value that works."""
    found = seen.counted
    problems = validate(seen.recipe, seen.shape, found.train if found is not None and found.exact else None)
    for problem in problems:
        if problem.severity != "note":
            yield PreflightFinding("stop" if problem.severity == "error" else "warn", problem.sentence, problem.path)
    if not any(problem.severity == "error" for problem in problems):
        yield ok("All fields are valid.")


_NAMED = re.compile(r"`([^`]+)`")
"""The columns that a sentence names."""


def sources(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the files open, and what they hold."""
    for path, fault in seen.data.faults:
        yield stop(str(fault), path)
    for path, dataset in seen.data.opened:
        training = dataset is seen.data.train
        for words in source_words(dataset, TASKS[seen.recipe.task], training=training):
            lead = f"{KNOBS[path].title}: " if words.verdict == "ok" else ""
            yield PreflightFinding(words.verdict, f"{lead}{words.sentence}", "" if words.verdict == "ok" else path)
        read = set(kept_columns(seen.recipe))
        for sentence in dataset.recognitions.unused().warnings:
            named = set(_NAMED.findall(sentence))
            if not named or not named <= read:  # rewards read the others
                yield warn(clean_line(sentence), path)
        if training and (masked := dataset.recognitions.masked_rows()):
            sentence = (
                f"The data excludes every answer in the first {masked:,} rows from the loss (such as `weight` 0), so "
                "nothing is learned from them."
            )
            yield warn(sentence, path)
    yield from _mapped_columns(seen)


def _mapped_columns(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the columns that are mapped are in the files."""
    train, held = seen.data.train, seen.data.held
    if train is None:
        return
    mixed = [Path(path) for path in seen.recipe.data.shares]
    try:
        files = [*train.reader.files, *(() if held is None else held.reader.files), *mixed]
        train.chosen.check_files(files, "data.columns")
    except BadInput as error:
        yield stop(str(error), "data.columns")


def rows(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What is known of all rows: those that cannot be read, and those that the flags to drop leave out."""
    from core.runs.known_rows import known_rows

    if seen.data.train is None or (known := known_rows(seen.data.train, seen.recipe, seen.workspace)) is None:
        return
    for each in (*unreadable(known[0], seen.recipe), *left_out(known[1], seen.recipe)):
        yield PreflightFinding(each.verdict, each.sentence, each.path, each.brief)


def tokens(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Rows that would be trained without something that they hold."""
    train = seen.data.train
    if train is None or train.recognition.kind is None or not seen.recipe.model.path:
        return
    from core.runs.token_checks import token_checks

    for line in token_checks(seen.recipe, seen.workspace, train, seen.shape):
        yield PreflightFinding(line.verdict, line.sentence, line.path, line.brief)


def labels(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the weights of good and bad answers make up for their numbers, by the rows that are read at once."""
    train = seen.data.train
    if train is None or "label" not in TASKS[seen.recipe.task].columns or train.recognition.kind != "kto":
        return
    from core.dataset.records import Unreadable

    found = {True: 0, False: 0}
    count = min(train.count, _COUNTED)
    for entry in range(count):
        try:
            label = train.sample(entry).label
        except Unreadable:
            continue
        if label is not None:
            found[label] += 1
    balance = RatingBalance(found[True], found[False])
    lead = "" if train.count == count and train.reader.complete else f"Of the first {count:,} rows: "
    if problem := balance.problem(seen.recipe):
        path = "kto.undesirable_weight" if "undesirable" in problem else "kto.desirable_weight"
        yield warn(f"{lead}{problem}", path, "unbalanced")
    else:
        yield ok(f"{lead}{balance.words(seen.recipe)}")


def tasks(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """The tasks of the rows, where a column names them."""
    wanted, dataset = seen.recipe.data.row_tasks, seen.data.train
    if wanted is None or dataset is None:
        return
    whole = dataset.reader.extend(_COUNTING)
    deadline = time.monotonic() + _COUNTING
    found: Counter[str] = Counter()
    looked = 0
    for entry in range(dataset.count):
        found[wanted.of(dataset.row(entry).value)] += 1
        looked += 1
        if time.monotonic() > deadline:
            whole = whole and looked == dataset.count
            break
    if not any(found):
        columns = clean_line(", ".join(dataset.recognition.all_columns), 300)
        words = f"No row names a task in the column {clean_line(wanted.column, 60)}. The columns: {columns}."
        yield stop(words, "data.task_column")
        return
    of = "" if whole else f"In the first {looked:,} rows: "
    for sentence in remarks(wanted, found) if whole else ():
        yield warn(sentence, "data.tasks")
    yield ok(f"Tasks: {of}{counts_words(wanted, found)}.")


def mix(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """The sources that are mixed in."""
    if seen.data.train is None or not seen.recipe.data.mix:
        return
    from core.runs.mix_words import mix_words  # orjson: only where data is read

    for readable, sentence in mix_words(seen.recipe, seen.data.train, seen.workspace):
        yield ok(sentence) if readable else stop(sentence, "data.mix")


def audit(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether anybody has looked at the rows."""
    from core.dataset.audit.store import decided_keys

    if seen.data.train is None or not seen.data.train.count:
        return
    try:
        decided = decided_keys(seen.workspace)
    except TunedeckError:
        return  # whoever decides says so
    keys = row_keys(seen.data.train)
    reviewed = len(decided) if keys is None else len(decided.intersection(keys))
    if not reviewed:
        yield warn(f"No row of this data has been reviewed yet. {_REVIEW}")
    elif keys is None:
        yield ok(f"{reviewed:,} rows have been reviewed in this workspace.")
    else:
        yield ok(f"{reviewed:,} of {len(keys):,} rows have been reviewed.")


_REVIEW = "Press A on Data to audit 50 rows: it takes a few minutes and shows what no check finds."


def leaks(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether prompts of the eval set are trained on, as far as somebody has searched."""
    facts, data = seen.overview, seen.recipe.data
    if facts is None or not (data.eval or data.eval_fraction):
        return
    near, exact = len(facts.get("near_leaks", ())), int((facts.get("split", {}).get("leaks") or {}).get("exact", 0))
    left = exact if "leak_exact" not in data.drop_flags else 0
    if left or near:
        what = " and ".join(filter(None, (f"{left:,} identical" if left else "", f"{near:,} similar" if near else "")))
        flags = " and ".join(name for name, found in (("leak_exact", left), ("leak_near", near)) if found)
        words = f"{what} eval prompts are also trained on, so the eval loss will reward memorizing. Drop {flags}."
        yield warn(words, "data.drop_flags", "leaks")
    else:
        dropped = f" {exact:,} identical ones were dropped." if exact else ""
        yield ok(f"No eval prompt is trained on.{dropped}")


def eval_set(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What is held out to measure on."""
    data = seen.recipe.data
    if data.eval:
        checked = "identical and near-duplicate prompts" if data.split_near else "identical prompts"
        yield ok(f"Separate eval file; the training data is checked for {checked}.")
    elif data.eval_fraction:
        together = f"; {data.split_near:.0%}+ similar samples stay on the same side" if data.split_near else ""
        yield ok(f"About {data.eval_fraction:.0%} of the samples are held out as the eval set{together}.")
