"""The overview of the training set in words: the same lines for the screen and for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size

from core.clean import clean_line
from core.units import count, duration, short_count

Pieces = list[tuple[str, str]]
"""Pieces of clean text with the name of a style: `text`, `muted`, `strong`, `good`, `warning`."""

UNKNOWN = "-"
_BAR, _LEAST_BAR = 24, 6
_MOST_NAME = 120
"""Characters of the name of a label or of a kind: names are the point of their lines, and longer ones wrap."""

_LEAST_EXAMPLE = 24
"""Cells that an example of a kind needs beside its name."""

_LEAKS = 5
_FILES = 3
_UNREADABLE = ("unreadable", "unreadable in eval")
_REASONS = {
    "decision": "dropped by hand",
    "bad_line": "malformed line",
    "like_eval": "prompt equal to an eval prompt",
    "unreadable in eval": "unreadable, in the eval file",
}


def overview_lines(facts: Mapping[str, Any], width: int = 80) -> Iterator[Pieces]:
    """All lines.

    Args:
        facts: `core.dataset.view.overview.overview_of` with `tokens` (or None), `tokens_words` (why there are none, or
            "") and `cost` (or None).
        width: cells of the longest line.
    """
    yield from _samples(facts)
    yield from _sources(facts)
    yield from _tasks(facts)
    yield from _tokens(facts)
    yield from _answers(facts, width)
    yield from _kinds(facts, width)


def _head(title: str, words: str = "") -> Iterator[Pieces]:
    yield []
    yield [(title, "strong"), (f"  {words}" if words else "", "muted")]


def _samples(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    samples, split, leaks = facts["samples"], facts["split"], facts["split"]["leaks"]
    yield [("samples", "strong")]
    mixed = f", {count(samples['mixed'])} of them mixed in" if samples["mixed"] else ""
    yield [(f"  train     {count(samples['train']):>9}", "text"), (mixed, "muted")]
    near = split["near"]
    if split["own_eval"]:
        words = "from a separate eval file"
    elif split["fraction"]:
        share, asked = f"{_held_share(samples):.0%}", f"{split['fraction']:.0%}"
        words = f"{share}, seed {split['seed']}" if share == asked else f"{share} ({asked} set), seed {split['seed']}"
        words += f"; rows {near:.0%}+ similar stay together" if near else "; equal prompts stay together"
        words += f"; stratified by {clean_line(split['stratify'], 40)}" if split["stratify"] else ""
    else:
        words = "none: no eval set in the recipe"
    yield [(f"  held out  {count(samples['eval']):>9}", "text"), (f"  {words}", "muted")]
    if "set)" in words:
        yield [(f"  {'':<19}  whole groups are drawn at random, so the share varies with the seed", "muted")]
    if split["own_eval"] and near:
        left = leaks.get("near", 0)
        yield [
            (f"  leaks     {count(leaks['exact'] + left):>9}", "text"),
            (
                f"  to the eval file: {count(leaks['exact'])} exact (excluded), {count(left)} similar",
                "muted",
            ),
        ]
        for each in facts["near_leaks"][:_LEAKS]:
            yield [(f"    row {count(each['row'] + 1)}", "text"), (f"  {each['detail']}", "muted")]
        if len(facts["near_leaks"]) > _LEAKS:
            yield [(f"    and {count(len(facts['near_leaks']) - _LEAKS)} more", "muted")]
    if samples["synthetic"]:
        yield [
            (f"  synthetic {count(samples['synthetic']):>9}", "text"),
            ("  rows; never held out", "muted"),
        ]
    dropped = {name: number for name, number in facts["dropped"].items() if name not in _UNREADABLE}
    total = sum(dropped.values())
    why = ", ".join(f"{reason_words(name)} {count(number)}" for name, number in _largest(dropped))
    yield [(f"  excluded  {count(total):>9}", "text"), (f"  {why}" if why else "", "muted")]
    yield from _unreadable(facts)
    if facts["bad_lines"]:
        yield [(f"  malformed {count(facts['bad_lines']):>9}", "text")]
    for sentence in facts["notes"]:
        yield [(f"  {clean_line(sentence, 400)}", "warning")]


def _unreadable(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    """Rows that are no samples, apart from those that were excluded; with the file and the reason of most of them."""
    missing = sum(facts["dropped"].get(name, 0) for name in _UNREADABLE)
    if not missing:
        return
    yield [(f"  unreadable{count(missing):>9}", "warning"), ("  rows that are not samples; skipped", "muted")]
    counts = facts.get("unreadable") or {}
    of_mix = (counts.get("mix") or {}).values()
    for each in (counts.get("train"), *of_mix, counts.get("eval")):
        for file in (each or {}).get("files", ())[:_FILES]:
            reason = file["reasons"][0]
            rows = f"{count(file['unreadable'] + file['malformed'])} of {count(file['rows'])}"
            words = (
                f"    {clean_line(Path(file['file']).name, 40)}: {rows} rows, e.g. {clean_line(reason['reason'], 200)}"
            )
            yield [(words, "muted")]


def _held_share(samples: Mapping[str, Any]) -> float:
    """The share that is held out of the samples that may be, 0 to 1: not of mixed-in and synthetic ones."""
    own = samples["train"] - samples["mixed"] - samples["synthetic"] + samples["eval"]
    return samples["eval"] / own if own else 0.0


def reason_words(name: str) -> str:
    """Why rows were excluded, in a word or two."""
    return _REASONS.get(name, name.replace("_", " "))


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _sources(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    tokens = facts["tokens"]
    known = tokens["sources"] if tokens else [None] * len(facts["contributions"])
    yield from _head("sources", "share of each in the training set")
    yield [("   samples  share   tokens  share", "muted")]
    whole = sum(each["tokens"] for each in known if each) or 1
    for each, own in zip(facts["contributions"], known, strict=True):
        name = ", ".join(Path(path).name for path in each["path"].split(", "))
        line = f"  {count(each['samples']):>8} {each['share']:>6.0%} "
        share = f"{own['tokens'] / whole:.0%}" if own else UNKNOWN
        line += f"{_tokens_text(own and own['tokens']):>8} {share:>6}"
        yield [(line, "text"), (f"  {clean_line(name, 200)}", "strong"), (f": {each['words']}", "muted")]


def _tasks(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    """The tasks of the rows, where the dataset holds several; overviews of earlier versions do not have them."""
    tasks = facts.get("tasks")
    if not tasks:
        return
    yield from _head("tasks", "samples of each: trained on in an epoch, held out")
    whole = sum(each["train"] for each in tasks) or 1
    for each in tasks:
        weight = "" if each["weight"] == 1 else f"  weight {each['weight']:g}"
        line = f"  {count(each['train']):>8} {each['train'] / whole:>6.0%} {count(each['eval']):>8}"
        yield [(line, "text"), (f"  {clean_line(each['name'], 100) or '(no task)'}", "strong"), (weight, "muted")]


def _tokens_text(value: int | None) -> str:
    return UNKNOWN if value is None else count(value) if value < 1e6 else short_count(value)


def _tokens(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    tokens, words = facts["tokens"], facts.get("tokens_words", "")
    yield from _head("tokens", clean_line(words, 300) if tokens is None else "counted by the same encoder that trains")
    if tokens is None:
        yield [(f"  train {UNKNOWN}   held out {UNKNOWN}   cost {UNKNOWN}", "text")]
        return
    for name, part in (("train", tokens["train"]), ("held out", tokens["eval"])):
        if part["samples"]:
            yield [
                (f"  {name:<9} {count(part['tokens']):>11}", "text"),
                (
                    f"  {count(part['trained'])} trained; median {count(part['median'])} per sample, ",
                    "muted",
                ),
                (f"longest {count(part['longest'])}", "muted"),
            ]
    train = tokens["train"]
    yield [
        (f"  {'answers':<9} {count(train['trained']):>11}", "text"),
        (f"  median {count(train['answer_median'])}, 95th percentile {count(train['answer_p95'])}, ", "muted"),
        (f"longest {count(train['answer_longest'])}", "muted"),
    ]
    if train["parts"]:
        words = ", ".join(f"{name} {count(tokens)}" for name, tokens in train["parts"].items())
        what = "prompts" if set(train["parts"]) == {"prompt"} else "pairs"
        yield [(f"  {what:<9} {count(train['samples']):>11}", "text"), (f"  medians: {words} tokens", "muted")]
    yield from _cost(facts["cost"])
    if train["without"]:
        several = "samples have" if train["without"] > 1 else "sample has"
        yield [(f"  {count(train['without'])} {several} no trained token and would teach nothing", "warning")]
    yield from _not_rendered(train, "")
    yield from _not_rendered(tokens["eval"], "held-out ")
    if lost := tokens["eval"].get("without"):
        several = "samples have" if lost > 1 else "sample has"
        left = count(tokens["eval"]["samples"] - lost)
        yield [(f"  {count(lost)} held-out {several} no trained token: the run holds out {left}", "warning")]
    yield from _histogram(tokens)


def _not_rendered(train: Mapping[str, Any], held_out: str) -> Iterator[Pieces]:
    """What the chat template does not render, and what that comes to."""
    if lost := train.get("not_rendered"):
        several = "samples hold" if lost > 1 else "sample holds"
        words = f"{count(lost)} {held_out}{several} parts that the chat template does not render:"
        yield [(f"  {words}", "warning")]
        rows = train["not_rendered_rows"]
        for row, what in rows[:_LEAKS]:
            yield [(f"    row {count(row + 1)}", "text"), (f"  {clean_line(what, 200)}", "muted")]
        if lost > _LEAKS:
            yield [(f"    and {count(lost - _LEAKS)} more", "muted")]
        ways = "blocks the run: choose another template, drop the rows (not_rendered), or set data.train_without"
        if not held_out:
            yield [(f"    {ways}", "muted")]
    if lost := train.get("context_lost"):
        several = "samples lose" if lost > 1 else "sample loses"
        yield [
            (
                f"  {count(lost)} {held_out}{several} context (earlier reasoning) that the template does not render",
                "warning",
            )
        ]
    for flag, number in _largest(train.get("left_out", {})):
        several = "samples are" if number > 1 else "sample is"
        yield [(f"  {count(number)} more {held_out}{several} dropped for {reason_words(flag)}", "warning")]


def _cost(cost: Mapping[str, Any] | None) -> Iterator[Pieces]:
    if cost is None:
        return
    currency = f" {clean_line(cost['currency'], 8)}" if cost["currency"] else ""
    words = f"  in {cost['epochs']:g} epoch{'s' * (cost['epochs'] != 1)}"
    prices = []
    if cost["cost"] is not None:
        prices.append(f"{cost['cost']:,.2f}{currency} at {cost['price']:g} per million tokens")
    if cost["hours"] is not None:
        words += f", {duration(cost['hours'] * 3600)} at {count(round(cost['pace']))} tokens/s, "
        words += "the speed of your last similar run"
        if cost["cost_of_hours"] is not None:
            prices.append(f"{cost['cost_of_hours']:,.2f}{currency} at {cost['price_per_hour']:g} per hour")
    yield [(f"  {'total':<9} {count(cost['tokens']):>11}", "text"), (words, "muted")]
    if prices:
        yield [(f"  {'cost':<9} ", "text"), ("; ".join(prices), "strong")]
    elif cost["price"] is None and cost["price_per_hour"] is None:
        said = "no price set (settings.toml: price_per_million_tokens, price_per_hour)"
        yield [(f"  {'cost':<9} {UNKNOWN:>11}", "text"), (f"  {said}", "muted")]
    else:
        yield [
            (f"  {'cost':<9} {UNKNOWN:>11}", "text"),
            ("  known after a run with this model has finished", "muted"),
        ]


def _histogram(tokens: Mapping[str, Any]) -> Iterator[Pieces]:
    bins = tokens["bins"]
    most = max((each["samples"] for each in bins), default=0)
    lower, reported = 0, False
    while bins and not bins[0]["samples"] and not bins[0]["cut"]:
        lower, bins = bins[0]["upper"], bins[1:]
    for each in bins:
        if each["cut"] and not reported:
            reported = True
            train = tokens["train"]
            verb = "sample below is" if train["cut"] == 1 else "samples below are"
            words = f"max length {count(tokens['max_length'])}: {count(train['cut'])} {verb} cut, "
            yield [(f"  ── {words}{count(train['lost'])} tokens lost ──", "warning")]
            if train.get("cut_texts"):
                yield [("     to train on all of a long text, set data.chunk_text", "warning")]
        bar = "█" * max(1, round(_BAR * each["samples"] / most)) if each["samples"] else ""
        span = f"{count(lower + 1)} to {count(each['upper'])}"
        yield [(f"  {span:>18} ", "muted"), (bar, "text"), (f" {count(each['samples'])}", "text")]
        lower = each["upper"]
    held = tokens["eval"].get("cut", 0)
    of_eval = f"{count(held)} eval {'samples are' if held > 1 else 'sample is'}"
    if bins and not reported:
        said = f"no training sample is cut; {of_eval}" if held else "nothing is cut"
        yield [(f"  ── max length {count(tokens['max_length'])}: {said} ──", "warning" if held else "good")]
    elif held:
        yield [(f"  ── {of_eval} cut as well ──", "warning")]


def _answers(facts: Mapping[str, Any], width: int) -> Iterator[Pieces]:
    answers = facts["answers"]
    if answers["labels"] is not None:
        yield from _head("answers", f"{count(len(answers['labels']))} labels: train, held out")
        most = max(each["train"] for each in answers["labels"].values())
        names = {label: clean_line(label, _MOST_NAME) for label in answers["labels"]}
        column = max(map(cell_len, names.values()))
        room = min(_BAR, width - 21 - column)
        longest = room if room >= _LEAST_BAR else 0
        for label, each in answers["labels"].items():
            bar = "█" * max(min(1, longest), round(longest * each["train"] / most))
            yield [
                (f"  {count(each['train']):>8} {count(each['eval']):>7}  ", "text"),
                (set_cell_size(names[label], column) + " ", "strong"),
                (bar, "text"),
            ]
        return
    repeated = f"{count(answers['repeated'])} samples have an answer that another sample also has"
    words = f"{count(answers['distinct'])} different" + (f"; {repeated}" if answers["repeated"] else "")
    yield from _head("answers", words)
    for each in answers["top"]:
        if each["samples"] > 1:
            yield [(f"  {count(each['samples']):>8}  ", "text"), (_cut(each["answer"], max(20, width - 12)), "muted")]


def _kinds(facts: Mapping[str, Any], width: int) -> Iterator[Pieces]:
    kinds = facts["coverage"]["kinds"]
    yield from _head("kinds of input", f"{count(len(kinds))}, each named by words that its prompts share")
    names = [clean_line(_kind_name(each), _MOST_NAME) for each in kinds]
    column = max(map(cell_len, names), default=0)
    room = width - 12 - column - 1
    for each, name in zip(kinds, names, strict=True):
        example = each["examples"][0] if each["examples"] and room >= _LEAST_EXAMPLE else ""
        yield [
            (f"  {count(each['samples']):>8}  ", "text"),
            (set_cell_size(name, column) + " " if example else name, "strong"),
            (_cut(example, room), "muted"),
        ]


def _kind_name(kind: Mapping[str, Any]) -> str:
    return ", ".join(kind["words"]) if kind["like_others"] else "(unlike all others)"


def _cut(text: str, width: int) -> str:
    """The text in at most `width` cells, with `…` where something is cut off."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"
