"""Show what would be trained on: split, leaks, sources, labels, kinds of input.

With a model, also tokens and cost. Without --held-out, the eval set is held out as in a new recipe.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import TunedeckError
from tui.commands.data_recipe import add_data_arguments, recipe_of, view_of
from tui.commands.output import print_json, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_data_arguments(parser, held_out="as in a new recipe")
    parser.add_argument(
        "--model", metavar="MODEL", help="Count tokens with this model's tokenizer (default: the recipe's model)."
    )
    parser.add_argument("--no-tokens", action="store_true", help="Skip counting tokens, which takes a few seconds.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object with everything.")


def run(arguments: argparse.Namespace) -> int:
    """Curate, count and print."""
    from core.dataset.view.overview import overview_of
    from core.recipe.paths import absolute
    from core.runs.overview import cost_of, measure_view
    from core.runs.pace import pace_of
    from tui.overview.words import overview_lines
    from tui.settings import load_settings

    live = sys.stderr.isatty() and not arguments.json

    def on_progress(words: str, done: int = 0, of: int = 0) -> None:
        if live:
            words += f": {done:,} of {of:,}" if of else ""
            sys.stderr.write(f"\r\x1b[K{words}")
            sys.stderr.flush()

    recipe = recipe_of(arguments)
    if arguments.model:
        recipe = absolute(replace(recipe, model=replace(recipe.model, path=arguments.model)), Path.cwd())
    view = view_of(recipe, lambda done, of: on_progress(f"Building the training set: {done / max(of, 1):.0%}"))
    facts: dict[str, Any] = {**overview_of(view, on_progress), "tokens": None, "cost": None, "tokens_words": ""}
    if arguments.no_tokens:
        facts["tokens_words"] = "not counted"
    elif not recipe.model.path:
        facts["tokens_words"] = "not counted: name a model with --model, or a recipe"
    else:
        on_progress("Counting tokens")
        try:
            facts["tokens"] = measure_view(recipe, view)
            settings = load_settings()
            facts["cost"] = cost_of(
                recipe,
                facts["tokens"],
                per_million=settings.price_per_million_tokens,
                per_hour=settings.price_per_hour,
                currency=settings.currency,
                pace=pace_of(recipe, Path.cwd()),
            )
            facts["tokens_words"] = settings.fault
        except TunedeckError as fault:
            facts["tokens_words"] = str(fault)
    on_progress("")
    if arguments.json:
        print_json(facts)
        return 0
    for pieces in overview_lines(facts):
        say("".join(text for text, _ in pieces).rstrip())
    return 0
