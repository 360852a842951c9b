"""What counted tokens say before a run starts: rows that would be trained without something that they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED
from core.dataset.rendered import ways_on
from core.recipe.recipe import Recipe
from core.units import rows_with

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.records import Row
    from core.dataset.sample import Sample
    from core.recipe.model_shape import ModelShape
    from core.runs.token_facts import TokenFacts

_NAMED = 5
"""Rows that a sentence names."""

_LOOKED_AT = 1_000
"""Flagged rows of which it is found out whether they are trained on; more are taken to be."""


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """One line for the preflight: as `core.runs.preflight.PreflightCheck`."""

    verdict: Literal["ok", "warn", "stop"]
    sentence: str
    path: str
    brief: str = ""


def token_checks(recipe: Recipe, workspace: Path, dataset: Dataset, shape: ModelShape | None) -> Iterator[TokenCheck]:
    """The lines: from counted tokens, else from a look at the rows of a small dataset or the first ones of a large one.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`.
        dataset: the training data, opened.
        shape: of the model, None where it is not on this machine.
    """
    found = _of_overview(recipe, workspace) or _of_rows(recipe, workspace, dataset)
    if found is None and shape is not None:
        found = _of_quick_look(recipe, workspace, dataset, shape)
    if found is None:
        return
    if found.not_rendered and NOT_RENDERED in recipe.data.drop_flags:
        words = f"{_rows(len(found.not_rendered))}{found.among} that the chat template does not fully render "
        words += f"{'is' if len(found.not_rendered) == 1 else 'are'} dropped (flag not_rendered)."
        yield TokenCheck("warn", words, "data.drop_flags")
    elif found.not_rendered:
        words = _lost_words(found.not_rendered, found.among, dataset)
        words += f". {ways_on(lost for _, lost in found.not_rendered)}."
        yield TokenCheck("stop", words, "data.train_without", f"{len(found.not_rendered):,} not rendered")
    if found.context_lost:
        verb = "loses" if found.context_lost == 1 else "lose"
        words = f"{_rows(found.context_lost)}{found.among} {verb} context, such as earlier reasoning, "
        words += "because the chat template does not render it. The trained answers are complete."
        yield TokenCheck("warn", words, "model.chat_template")
    if found.control and CONTROL_TOKENS not in recipe.data.drop_flags:
        verb = "contains" if found.control == 1 else "contain"
        words = f"{_rows(found.control)} {verb} the tokenizer's special tokens, which are trained on as control tokens."
        yield TokenCheck("warn", words, "data.drop_flags")


@dataclass(frozen=True, slots=True)
class _Found:
    """Of the rows that train: those that lose something (row from 0, and what), and counts."""

    not_rendered: list[tuple[int, str]]
    context_lost: int
    control: int
    among: str = ""


def _of_overview(recipe: Recipe, workspace: Path) -> _Found | None:
    """What an overview of just this recipe has counted: exactly the rows that train."""
    from core.runs.overview_job import tokens_known

    tokens = tokens_known(workspace, recipe)
    if tokens is None or "not_rendered" not in tokens.get("train", {}):
        return None
    parts = [tokens["train"]] if recipe.data.eval else [tokens["train"], tokens["eval"]]
    rows = sorted((int(row), str(words)) for part in parts for row, words in part["not_rendered_rows"])
    rows += [(-1, "")] * (sum(part["not_rendered"] for part in parts) - len(rows))
    context, control = (sum(part[name] for part in parts) for name in ("context_lost", "control"))
    return _Found(rows, context, control)


def _of_rows(recipe: Recipe, workspace: Path, dataset: Dataset) -> _Found | None:
    """What the token count of the Data screen or of `tunedeck scan --model` says of the rows that stay."""
    from core.runs.token_job import key_of
    from core.runs.token_key import find_facts, recipe_key

    lookup = find_facts(workspace, key_of(dataset), recipe_key(recipe, workspace))
    facts = lookup.facts
    if lookup.standing != "known" or not facts.complete:
        return None
    lost = [each.row for each in facts.rows() if each.not_rendered]

    def has_tokens(row: int, _: Sample) -> bool:
        found = facts.row(row)
        return found is not None and found.control

    staying = set(lost).difference(_left_out(recipe, workspace, dataset, has_tokens, lost[:_LOOKED_AT]))
    context = control = 0
    for each in facts.rows():
        context += each.context_lost and not each.not_rendered
        control += each.control
    return _Found([(row, _reason(facts, row)) for row in sorted(staying)], context, control)


def _of_quick_look(recipe: Recipe, workspace: Path, dataset: Dataset, shape: ModelShape) -> _Found | None:
    """What rendering the rows here tells; special tokens in texts are counted by `core.runs.known_rows`."""
    from core.dataset.control_text import ControlText
    from core.recipe.special_tokens import special_tokens
    from core.runs.quick_render import quick_losses

    looked = quick_losses(recipe, shape, dataset)
    if looked is None:
        return None
    special = special_tokens(recipe.model.path, recipe.model.revision)
    control = ControlText(special.tokens, special.begin, special.end, train_without=recipe.data.train_without)
    rows = [row for row, _ in looked.rows][:_LOOKED_AT]
    out = set(_left_out(recipe, workspace, dataset, lambda _, sample: bool(control.of(sample)), rows))
    among = "" if looked.whole else f" among the first {looked.looked:,} rows"
    return _Found([each for each in looked.rows if each[0] not in out], looked.context, 0, among)


def _reason(facts: TokenFacts, row: int) -> str:
    found = facts.row(row)
    flags = () if found is None else facts.flags(found)
    return next((flag.reason.partition(": ")[2] for flag in flags if flag.name == NOT_RENDERED), "")


def _left_out(
    recipe: Recipe, workspace: Path, dataset: Dataset, has_tokens: Callable[[int, Sample], bool], rows: list[int]
) -> Iterator[int]:
    """Which of some rows the view leaves out: by the user's decision, or for what a look at these rows tells."""
    from core.dataset.audit.store import read_ledger
    from core.dataset.checks import CHECKS, Context
    from core.dataset.item import Item
    from core.dataset.records import Unreadable
    from core.dataset.scan.keys import Occurrences, key_text, row_digest

    drops = set(recipe.data.drop_flags)
    context = Context()
    checks = [check(context) for check in CHECKS if check.name in drops and not check.remembers]
    ledger, occurrences = read_ledger(workspace), Occurrences()
    seen: set[bytes] = set()  # equal rows lose the same, so all of them are among the rows
    for number, row in _good_rows(dataset, rows):
        key = row_digest(row.value or {})
        verdict = ledger.standing(key_text(key, occurrences.next(key))).verdict
        try:
            sample = dataset.sample_of(row)
        except Unreadable:
            continue
        item = Item(number, sample)
        dropped = verdict == "drop"
        if not dropped and verdict != "keep":
            dropped = (
                any(check.inspect(item) for check in checks)
                or ("exact_duplicate" in drops and item.content in seen)
                or (CONTROL_TOKENS in drops and has_tokens(number, sample))
            )
        if dropped:
            yield number
        else:
            seen.add(item.content)


def _good_rows(dataset: Dataset, rows: list[int]) -> Iterator[tuple[int, Row]]:
    """Some of the good rows, with their numbers."""
    if not rows:
        return
    wanted, number = set(rows), -1
    dataset.reader.extend()
    for entry in range(dataset.count):
        row = dataset.row(entry)
        if row.value is None:
            continue
        number += 1
        if number in wanted:
            yield number, row
        if number >= rows[-1]:
            return


def _lost_words(rows: list[tuple[int, str]], among: str, dataset: Dataset) -> str:
    """Which rows lose what, as a sentence without a full stop; rows count from 1 in it, through all files."""
    named = [(row, lost) for row, lost in rows[:_NAMED] if row >= 0]
    more = f"and {len(rows) - len(named):,} more" if len(rows) > len(named) else ""
    where = ""
    if named and len(dataset.reader.files) > 1:
        files = dict.fromkeys(row.file.name for _, row in _good_rows(dataset, sorted(row for row, _ in named)))
        where = f"counted through all files; in {', '.join(files)}"
    listed = "; ".join(filter(None, (rows_with(named), more, where)))
    return f"The chat template does not fully render {_rows(len(rows))}{among} ({listed})"


def _rows(number: int) -> str:
    return "1 sample" if number == 1 else f"{number:,} samples"
