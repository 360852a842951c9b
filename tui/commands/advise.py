"""Say whether to fine-tune at all, from six questions and the dataset.

The advice is prompt, few_shot, retrieval, both (retrieval and fine-tuning), fine_tune or not_yet.
Without --answers, the questions are asked in the terminal.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.errors import BadInput
from tui.commands.data_recipe import add_data_arguments, recipe_of, view_of
from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.recipe.declare import Knob
    from core.runs.advice.advise import AdviceOutcome
    from core.runs.advice.evidence import Evidence
    from core.runs.advice.questions import Answers

_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_data_arguments(parser, held_out="as in a new recipe")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="Read the answers from YAML or JSON; do not ask.")
    parser.add_argument("--questions", action="store_true", help="Print the questions as an answers file to fill in.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object: advice, reasons, missing, dataset.")


def run(arguments: argparse.Namespace) -> int:
    """Ask, count and print."""
    from core.runs.advice.advise import advise
    from core.runs.advice.questions import Answers, load_answers

    if arguments.questions:
        say(_form())
        return 0
    answers = Answers() if arguments.answers is None else load_answers(arguments.answers)
    evidence = _evidence(arguments) if arguments.data or arguments.recipe else None
    if arguments.answers is None and not arguments.json and sys.stdin.isatty() and sys.stdout.isatty():
        answers = _ask(counted=evidence is not None)
    outcome = advise(answers, evidence)
    if arguments.json:
        found: dict[str, Any] = {**outcome.to_json(), "answers": answers.to_json()}
        print_json({**found, "dataset": None if evidence is None else evidence.to_json()})
    else:
        _say(outcome, evidence)
    return 0


def _evidence(arguments: argparse.Namespace) -> Evidence:
    from core.dataset.view.overview import overview_of
    from core.runs.advice.evidence import baseline_of, evidence_of

    recipe = recipe_of(arguments)
    view = view_of(recipe)
    return evidence_of(view, overview_of(view), baseline_of(Path.cwd(), recipe.data.train))


def _form() -> str:
    """The questions as YAML, each with its choices."""
    from core.runs.advice.questions import QUESTIONS

    lines = []
    for key, question in QUESTIONS.items():
        lines += [
            f"# {question.title} {question.help}",
            *(f"#   {name}: {words}" for name, words in _choices(question)),
        ]
        lines += [f"{key}: {'[]' if question.kind == 'list' else ''}".rstrip(), ""]
    return "\n".join(lines).rstrip()


def _choices(question: Knob) -> list[tuple[str, str]]:
    return [(name, words) for name, words in question.choices.items() if name]


def _ask(*, counted: bool) -> Answers:
    """Answers typed in the terminal; enter alone skips a question."""
    from core.runs.advice.questions import QUESTIONS, read_answers

    given: dict[str, object] = {}
    for key, question in QUESTIONS.items():
        if key == "samples" and counted:
            continue
        choices = _choices(question)
        several = question.kind == "list"
        say(f"\n{question.title}")
        say("\n".join(f"  {number}  {words}" for number, (_, words) in enumerate(choices, 1)))
        while True:
            typed = _typed("Numbers, or enter to skip: " if several else "Number, or enter to skip: ")
            picked = typed.replace(",", " ").split()
            if all(each.isdecimal() and 1 <= int(each) <= len(choices) for each in picked) and len(picked) <= (
                len(choices) if several else 1
            ):
                break
            say(f"Type a number from 1 to {len(choices)}.")
        names = list(dict.fromkeys(choices[int(each) - 1][0] for each in picked))
        if names:
            given[key] = names if several else names[0]
    say()
    return read_answers(given)


def _typed(prompt: str) -> str:
    try:
        return input(prompt)
    except EOFError:
        raise BadInput("The input ended before all questions were answered", do="Use --answers FILE") from None


def _say(outcome: AdviceOutcome, evidence: Evidence | None) -> None:
    from core.runs.advice.advise import HEADLINES
    from core.runs.advice.words import dataset_words

    say(f"Advice: {HEADLINES[outcome.advice]}.")
    if evidence is not None:
        _paragraph("Dataset: ", dataset_words(evidence))
    marks = {"for": "+ ", "against": "- ", "note": "· "}
    if outcome.reasons:
        say("\nReasons (+ for fine-tuning, - against)")
        for reason in outcome.reasons:
            _paragraph(f"  {marks[reason.weight]}", reason.sentence)
    if outcome.missing:
        say("\nMissing before you fine-tune")
        for missing in outcome.missing:
            _paragraph("  ! " if missing.blocks else "  · ", missing.sentence)


def _paragraph(lead: str, words: str) -> None:
    text = clean_line(words, 1_000)
    say("\n".join(textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))))
