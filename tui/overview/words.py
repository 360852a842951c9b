"""The overview of the curated data in words: the same lines for the screen and for the headless command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.units import count, duration, short_count

Pieces = list[tuple[str, str]]
"""Pieces of clean text with the name of a style: `text`, `muted`, `strong`, `good`, `warning`."""

UNKNOWN = "-"
_BAR = 24
_LEAKS = 5
_REASONS = {
    "decision": "dropped by you",
    "like_eval": "like an eval sample",
    "unreadable in eval": "unreadable in the eval file",
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
        words = "a file of your own"
    elif split["fraction"]:
        words = f"{split['fraction']:.0%} asked for, seed {split['seed']}"
        words += f"; samples {near:.0%} alike stay on one side" if near else "; equal prompts stay on one side"
        words += f"; by {clean_line(split['stratify'], 40)}" if split["stratify"] else ""
    else:
        words = "none asked for"
    yield [(f"  held out  {count(samples['eval']):>9}", "text"), (f"  {words}", "muted")]
    if split["own_eval"] and near:
        left = leaks.get("near", 0)
        yield [
            (f"  leaks     {count(leaks['exact'] + left):>9}", "text"),
            (f"  to the eval file: {count(leaks['exact'])} by equal prompts, {count(left)} by near ones", "muted"),
        ]
        for each in facts["near_leaks"][:_LEAKS]:
            yield [(f"    row {count(each['row'] + 1)}", "text"), (f"  {each['detail']}; trained on", "muted")]
        if len(facts["near_leaks"]) > _LEAKS:
            yield [(f"    and {count(len(facts['near_leaks']) - _LEAKS)} more that are trained on", "muted")]
    if samples["synthetic"]:
        yield [
            (f"  synthetic {count(samples['synthetic']):>9}", "text"),
            ("  of the rows kept; never held out", "muted"),
        ]
    total = sum(facts["dropped"].values())
    why = ", ".join(f"{reason_words(name)} {count(number)}" for name, number in _largest(facts["dropped"]))
    yield [(f"  left out  {count(total):>9}", "text"), (f"  {why}" if why else "", "muted")]
    if facts["bad_lines"]:
        yield [(f"  bad lines {count(facts['bad_lines']):>9}", "text")]
    for sentence in facts["notes"]:
        yield [(f"  {clean_line(sentence, 400)}", "warning")]


def reason_words(name: str) -> str:
    """Why rows were left out, in a word or two."""
    return _REASONS.get(name, name.replace("_", " "))


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _sources(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    tokens = facts["tokens"]
    known = tokens["sources"] if tokens else [None] * len(facts["contributions"])
    yield from _head("sources", "what each gives to the training set")
    yield [("   samples  share   tokens  share", "muted")]
    whole = sum(each["tokens"] for each in known if each) or 1
    for each, own in zip(facts["contributions"], known, strict=True):
        name = ", ".join(Path(path).name for path in each["path"].split(", "))
        line = f"  {count(each['samples']):>8} {each['share']:>6.0%} "
        share = f"{own['tokens'] / whole:.0%}" if own else UNKNOWN
        line += f"{_tokens_text(own and own['tokens']):>8} {share:>6}"
        yield [(line, "text"), (f"  {clean_line(name, 60)}", "strong"), (f": {each['words']}", "muted")]


def _tokens_text(value: int | None) -> str:
    return UNKNOWN if value is None else count(value) if value < 1e6 else short_count(value)


def _tokens(facts: Mapping[str, Any]) -> Iterator[Pieces]:
    tokens, words = facts["tokens"], facts.get("tokens_words", "")
    yield from _head("tokens", clean_line(words, 300) if tokens is None else "counted by the encoder that trains")
    if tokens is None:
        yield [(f"  train {UNKNOWN}   held out {UNKNOWN}   cost {UNKNOWN}", "text")]
        return
    for name, part in (("train", tokens["train"]), ("held out", tokens["eval"])):
        if part["samples"]:
            yield [
                (f"  {name:<9} {count(part['tokens']):>11}", "text"),
                (
                    f"  {count(part['trained'])} learnt; half of the samples have up to {count(part['median'])}, ",
                    "muted",
                ),
                (f"the longest {count(part['longest'])}", "muted"),
            ]
    train = tokens["train"]
    yield [
        (f"  {'answers':<9} {count(train['trained']):>11}", "text"),
        (f"  half have up to {count(train['answer_median'])}, 95% up to {count(train['answer_p95'])}, ", "muted"),
        (f"the longest {count(train['answer_longest'])}", "muted"),
    ]
    if train["parts"]:
        words = ", ".join(f"{name} {count(tokens)}" for name, tokens in train["parts"].items())
        yield [(f"  {'pairs':<9} {count(train['samples']):>11}", "text"), (f"  medians: {words} tokens", "muted")]
    yield from _cost(facts["cost"])
    if train["without"]:
        several = "samples teach" if train["without"] > 1 else "sample teaches"
        yield [(f"  {count(train['without'])} {several} nothing: without a token that is learnt", "warning")]
    yield from _histogram(tokens)


def _cost(cost: Mapping[str, Any] | None) -> Iterator[Pieces]:
    if cost is None:
        return
    currency = f" {clean_line(cost['currency'], 8)}" if cost["currency"] else ""
    words = f"  in {cost['epochs']:g} epoch{'s' * (cost['epochs'] != 1)}"
    prices = []
    if cost["cost"] is not None:
        prices.append(f"{cost['cost']:,.2f}{currency} at {cost['price']:g} a million")
    if cost["hours"] is not None:
        words += f", {duration(cost['hours'] * 3600)} at the {count(round(cost['pace']))} tokens/s of the last such run"
        if cost["cost_of_hours"] is not None:
            prices.append(f"{cost['cost_of_hours']:,.2f}{currency} at {cost['price_per_hour']:g} an hour")
    yield [(f"  {'in all':<9} {count(cost['tokens']):>11}", "text"), (words, "muted")]
    if prices:
        yield [(f"  {'cost':<9} ", "text"), ("; ".join(prices), "strong")]
    elif cost["price"] is None and cost["price_per_hour"] is None:
        said = "no price is set (settings.toml: price_per_million_tokens, price_per_hour)"
        yield [(f"  {'cost':<9} {UNKNOWN:>11}", "text"), (f"  {said}", "muted")]
    else:
        yield [(f"  {'cost':<9} {UNKNOWN:>11}", "text"), ("  no run with this model has shown its pace yet", "muted")]


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
        bar = "█" * max(1, round(_BAR * each["samples"] / most)) if each["samples"] else ""
        span = f"{count(lower + 1)} to {count(each['upper'])}"
        yield [(f"  {span:>18} ", "muted"), (bar, "text"), (f" {count(each['samples'])}", "text")]
        lower = each["upper"]
    if bins and not reported:
        yield [(f"  ── max length {count(tokens['max_length'])}: nothing is cut ──", "good")]


def _answers(facts: Mapping[str, Any], width: int) -> Iterator[Pieces]:
    answers = facts["answers"]
    if answers["labels"] is not None:
        yield from _head("answers", f"{count(len(answers['labels']))} labels: train, held out")
        most = max(each["train"] for each in answers["labels"].values())
        for label, each in answers["labels"].items():
            bar = "█" * max(1, round(_BAR * each["train"] / most))
            yield [
                (f"  {count(each['train']):>8} {count(each['eval']):>7}  ", "text"),
                (f"{label[:24]:<24} ", "strong"),
                (bar, "text"),
            ]
        return
    words = f"{count(answers['distinct'])} different ones; {count(answers['repeated'])} samples share theirs"
    yield from _head("answers", words)
    for each in answers["top"]:
        if each["samples"] > 1:
            yield [(f"  {count(each['samples']):>8}  ", "text"), (each["answer"][: max(20, width - 12)], "muted")]


def _kinds(facts: Mapping[str, Any], width: int) -> Iterator[Pieces]:
    kinds = facts["coverage"]["kinds"]
    yield from _head("kinds of input", f"{count(len(kinds))}, by the words that prompts share")
    for each in kinds:
        name = ", ".join(each["words"]) if each["like_others"] else "(like no others)"
        example = each["examples"][0] if each["examples"] else ""
        name = clean_line(name, 36)
        yield [
            (f"  {count(each['samples']):>8}  ", "text"),
            (f"{name:<36} ", "strong"),
            (example[: max(0, width - 50)], "muted"),
        ]
