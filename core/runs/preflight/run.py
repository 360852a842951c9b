"""Lines about the run itself: steps, tokens, duration and cost. Every figure is measured or computed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from core import units
from core.clean import clean_line
from core.paths import config_dir
from core.recipe.schedule import schedule_of
from core.recipe.tasks import TASKS
from core.recipe.values import number_text
from core.runs.pace import pace_of
from core.runs.preflight.line import PreflightFinding, ok, stop, warn
from core.runs.preflight.seen import BeforeStart


def steps(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """How many steps the run has, and of how many samples."""
    found = seen.counted
    if found is None or not (found.train or found.exact):
        return  # whoever builds the training set says what became of the rows
    recipe = seen.recipe
    if not found.train:
        yield stop("No sample is left to train on. Check the flags to drop and your decisions.", "data.train")
        return
    plan = schedule_of(recipe, found.train)
    about = "" if found.exact else "About "
    packed = " at most (packed sequences hold several samples)" if recipe.data.packing != "none" else ""
    chunks = " at least (long texts become several)" if recipe.data.chunk_text and not recipe.training.max_steps else ""
    words = (
        f"{about}{units.count(plan.steps)} step{'s' * (plan.steps != 1)}{packed or chunks}: {about.lower()}"
        f"{_samples(found.train)}, {number_text(round(plan.epochs, 2))} "
        f"epoch{'s' * (plan.epochs != 1)}, {units.count(plan.effective_batch)} per step."
    )
    yield ok(words)


def trained_tokens(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """How many tokens carry loss, where they are counted."""
    if TASKS[seen.recipe.task].generates:
        return  # the tokens that carry loss are written while it trains
    if seen.recipe.model.path and seen.data.train is not None:
        tokens = seen.tokens
        if tokens is None:
            yield ok("Trained tokens are not counted yet. Overview (O on Data, or `tunedeck overview`) counts them.")
            return
        train = tokens["train"]
        if not train["trained"]:
            yield stop(
                f"No token is trained: all {_samples(train['samples'])} are cut before their answers, or have none.",
                "data.max_length" if train["cut"] else "data.loss_on",
            )
            return
        words = f"{train['trained']:,} of {train['tokens']:,} tokens in an epoch are trained."
        if train["cut"] or train["without"]:
            cut = f"{train['cut']:,} of {_samples(train['samples'])} are cut at {tokens['max_length']:,} tokens"
            none = f"{train['without']:,} have no trained token and are skipped" if train["without"] else ""
            listed = "; ".join(filter(None, (cut if train["cut"] else "", none)))
            yield warn(
                f"{words} {listed[:1].upper()}{listed[1:]}; the longest has {train['longest']:,}.", "data.max_length"
            )
        else:
            yield ok(words)


def duration(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """How long it takes, by the pace of an earlier run of this model here, and what that costs."""
    hours = _hours(seen)
    if hours is None:
        return
    price, currency = _price()
    words = f"About {units.duration(hours * 3600)}, at the pace of an earlier run of this model here."
    if price is not None:
        money = f"{hours * price:,.2f} {currency}".rstrip()
        words += f" About {money} at {price:g} {currency}".rstrip() + " an hour."
    yield ok(words)


def _hours(seen: BeforeStart) -> float | None:
    """By measured pace and counted tokens; None where either is missing."""
    tokens = seen.tokens
    if tokens is None or (pace := pace_of(seen.recipe, seen.workspace)) is None:
        return None
    found = seen.counted
    epochs = seen.recipe.training.epochs
    if found is not None and found.train:
        epochs = schedule_of(seen.recipe, found.train).epochs
    hours: float = tokens["train"]["tokens"] * epochs / pace / 3600
    return hours


def _price() -> tuple[float | None, str]:
    """The user's price of an hour, and its currency; what is wrong with the file the app says."""
    try:
        said: dict[str, Any] = tomllib.loads((config_dir() / "settings.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, ""
    price, currency = said.get("price_per_hour"), said.get("currency")
    words = clean_line(currency, 12) if isinstance(currency, str) else ""
    if isinstance(price, int | float) and not isinstance(price, bool) and price > 0:
        return float(price), words
    return None, words


def _samples(number: int) -> str:
    return f"{units.count(number)} sample{'s' * (number != 1)}"
