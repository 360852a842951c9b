"""The six questions, declared as fields; page, command line, answers file and docs are made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.errors import BadInput
from core.nearest import nearest
from core.recipe.declare import Knob, Problem, fields_of, knob

BEHAVIOR, STYLE, FORMAT, KNOWLEDGE, HALLUCINATION = "behavior", "style", "format", "knowledge", "hallucination"
COST, LATENCY, PRIVACY = "cost", "latency", "privacy"
NOT_TRIED, NOT_ENOUGH, WITH_EXAMPLES, GOOD = "not_tried", "not_enough", "good_with_examples", "good"
RARELY, MONTHLY, DAILY = "rarely", "monthly", "daily"
NO_WAY, BY_HAND, SCORED, LIVE = "no_way", "by_hand", "scored", "live"
FEW, SOME, MANY = "under_100", "100_to_1000", "over_1000"

LEAST, PLENTY = 100, 1_000
"""Samples: below the first, a fine-tune learns little that examples in the prompt would not show."""

_LIMIT = 100_000
"""Bytes: no file of answers is longer."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user says of a project. An answer that is empty has not been given."""

    goals: tuple[str, ...] = knob(
        (),
        title="What should change?",
        help="What the model should do differently. Choose all that apply.",
        choices={
            BEHAVIOR: "how it handles a task: steps, tools, decisions",
            STYLE: "how it writes: tone, length, brand voice, language",
            FORMAT: "its output: JSON, labels, fields, code for your API",
            KNOWLEDGE: "what it knows: documents, products, people, prices",
            HALLUCINATION: "how often it makes things up",
        },
    )
    facts: str = knob(
        "",
        title="How often do the facts in its answers change?",
        help="Facts that a correct answer depends on, such as prices, policies or stock.",
        choices={
            "": "",
            RARELY: "rarely, or the prompt already contains them",
            MONTHLY: "every few weeks or months",
            DAILY: "daily, or they differ for each user",
        },
    )
    prompt: str = knob(
        "",
        title="How good is the base model with your best prompt?",
        help="Try a clear system prompt first, then add three to ten examples or JSON mode.",
        choices={
            "": "",
            NOT_TRIED: "not tried yet",
            NOT_ENOUGH: "not good enough, even with examples in the prompt",
            WITH_EXAMPLES: "good, but only with examples or JSON mode",
            GOOD: "good with a plain prompt",
        },
    )
    limits: tuple[str, ...] = knob(
        (),
        title="What rules out a larger model or a longer prompt?",
        help="Choose all that apply, or none.",
        choices={
            COST: "the price per request",
            LATENCY: "the time to the first token",
            PRIVACY: "the data must not leave your machines",
        },
    )
    evaluation: str = knob(
        "",
        title="How will you know whether it is better?",
        help="Without a comparison with the base model, a tuned model is a guess.",
        choices={
            "": "",
            NO_WAY: "no way to tell yet",
            BY_HAND: "people compare answers by hand",
            SCORED: "held-out samples with answers, and a score",
            LIVE: "a metric of the live product, such as an A/B test",
        },
    )
    samples: str = knob(
        "",
        title="How many good samples do you have?",
        help="Prompts with the answer you want. Counted for you if a dataset is open.",
        choices={
            "": "",
            FEW: "fewer than 100",
            SOME: "100 to 1,000",
            MANY: "more than 1,000",
        },
    )

    @property
    def given(self) -> bool:
        """Whether anything was answered."""
        return self != Answers()

    def to_json(self) -> dict[str, Any]:
        """The answers that were given."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value
        }


QUESTIONS: Mapping[str, Knob] = {question.path: question for question in fields_of(Answers)}
"""Every question by its key, in order."""


def answered(answers: Answers, key: str, choice: str) -> Answers:
    """The answers after one choice was picked: of a question with several, it is added or taken out again."""
    present: str | tuple[str, ...] = getattr(answers, key)
    after: Any = "" if present == choice else choice
    if isinstance(present, tuple):
        rest = tuple(each for each in present if each != choice)
        order = list(QUESTIONS[key].choices)
        after = rest if choice in present else tuple(sorted((*rest, choice), key=order.index))
    return replace(answers, **{key: after})


def read_answers(raw: object, *, where: str = "") -> Answers:
    """Answers from JSON or YAML.

    Args:
        raw: question to choice, or to a list of choices; of `samples`, also a number.
        where: the file, for errors.

    Raises:
        BadInput: an unknown question, or a choice that it does not have.
    """
    if not isinstance(raw, Mapping):
        raise BadInput(
            "Expected answers as KEY: CHOICE",
            where=where,
            do=f"The keys are {', '.join(QUESTIONS)}",
        )
    values: dict[str, Any] = {}
    for key, value in raw.items():
        question = QUESTIONS.get(str(key))
        if question is None:
            near = nearest(str(key), QUESTIONS)
            hint = f"Did you mean {near}? " if near else ""
            raise BadInput(
                f"No question is named {clean_line(str(key), 60)!r}",
                where=where,
                do=f"{hint}The keys are {', '.join(QUESTIONS)}",
            )
        if question.path == "samples" and isinstance(value, int) and not isinstance(value, bool):
            value = FEW if value < LEAST else SOME if value <= PLENTY else MANY
        found = question.coerce("" if value is None and question.kind == "choice" else value)
        if isinstance(found, Problem):
            choices = ", ".join(choice for choice in question.choices if choice)
            raise BadInput(f"{key}: {clean_line(str(value), 60)!r} is not one of its choices", where=where, do=choices)
        values[question.path] = found
    return Answers(**values)


def load_answers(path: Path) -> Answers:
    """The answers in a JSON or YAML file.

    Raises:
        BadInput: it cannot be read, or as `read_answers`.
    """
    import yaml

    try:
        with path.open("rb") as stream:
            text = stream.read(_LIMIT + 1)
        if len(text) > _LIMIT:
            raise BadInput("The file is too large for a file of answers", where=str(path))
        raw = yaml.safe_load(text.decode("utf-8-sig"))
    except OSError as error:
        raise BadInput(f"Cannot read the answers: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise BadInput("The file is not UTF-8 text", where=str(path), do="Write it as JSON or YAML") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput("The file is not JSON or YAML", where=str(path), do="Write one KEY: CHOICE per line") from error
    return read_answers({} if raw is None else raw, where=str(path))
