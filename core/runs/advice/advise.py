"""From answers and evidence to advice: prompt, few-shot, retrieval, fine-tune, both, or not yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from core.runs.advice.evidence import Evidence
from core.runs.advice.questions import (
    BEHAVIOR,
    COST,
    DAILY,
    FEW,
    FORMAT,
    GOOD,
    HALLUCINATION,
    KNOWLEDGE,
    LATENCY,
    LEAST,
    MONTHLY,
    NO_WAY,
    NOT_ENOUGH,
    NOT_TRIED,
    PRIVACY,
    QUESTIONS,
    STYLE,
    WITH_EXAMPLES,
    Answers,
)

AdviceName = Literal["prompt", "few_shot", "retrieval", "both", "fine_tune", "not_yet"]

HEADLINES: dict[AdviceName, str] = {
    "prompt": "Use a prompt",
    "few_shot": "Use few-shot examples or JSON mode",
    "retrieval": "Use retrieval",
    "both": "Fine-tune, and use retrieval for the facts",
    "fine_tune": "Fine-tune",
    "not_yet": "Not yet",
}
"""What each advice is called."""

_BAD = 0.1
"""The share of rows to drop above which the data must be fixed first: the lower end of the audit's interval."""
_LEAKS = 0.05
"""Leaks as a share of the eval set above which its score is worth nothing."""
_AUDIT = 50
"""Rows to read before a first run."""


@dataclass(frozen=True, slots=True)
class AdviceReason:
    """One reason.

    Attributes:
        weight: `for` fine-tuning, `against` it, or `note`.
        sentence: the reason.
    """

    weight: Literal["for", "against", "note"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing.

    Attributes:
        sentence: what to do.
        blocks: whether fine-tuning has to wait for it.
    """

    sentence: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class AdviceOutcome:
    """What follows.

    Attributes:
        advice: the advice.
        reasons: what speaks for it and against it, the deciding ones first.
        missing: what to do before fine-tuning; what it has to wait for first.
    """

    advice: AdviceName
    reasons: tuple[AdviceReason, ...]
    missing: tuple[Missing, ...]

    def to_json(self) -> dict[str, Any]:
        """`{"advice", "reasons", "missing"}`; the latter two are sentences."""
        return {
            "advice": self.advice,
            "reasons": [reason.sentence for reason in self.reasons],
            "missing": [missing.sentence for missing in self.missing],
        }


def advise(answers: Answers, evidence: Evidence | None = None) -> AdviceOutcome:
    """What to do.

    Args:
        answers: to the six questions; those not given count as missing where they decide.
        evidence: of the dataset, None where there is none.
    """
    reasons = [*_for(answers), *_against(answers, evidence), *_shown(evidence)]
    missing = sorted(_missing(answers, evidence), key=lambda each: not each.blocks)
    advice = _decide(answers, any(each.blocks for each in missing))
    first = "for" if advice in ("fine_tune", "both") else "against"
    reasons.sort(key=lambda reason: (reason.weight == "note", reason.weight != first))
    unneeded = advice in ("prompt", "few_shot") and answers.prompt in (GOOD, WITH_EXAMPLES)
    return AdviceOutcome(advice, tuple(reasons), () if unneeded else tuple(missing))


def _decide(answers: Answers, blocked: bool) -> AdviceName:
    facts = needs_facts(answers)
    tunable = bool({BEHAVIOR, STYLE, FORMAT}.intersection(answers.goals)) or bool(answers.limits)
    cheaper = bool({COST, LATENCY}.intersection(answers.limits))
    if not answers.goals:
        return "not_yet"
    if facts and not tunable:
        return "retrieval"
    if answers.prompt == GOOD and not cheaper:
        return "retrieval" if facts else "prompt"
    if answers.prompt == WITH_EXAMPLES and not cheaper:
        return "retrieval" if facts else "few_shot"
    if answers.prompt == NOT_TRIED:
        return "retrieval" if facts else "few_shot" if set(answers.goals) == {FORMAT} else "prompt"
    if blocked:
        return "retrieval" if facts else "not_yet"
    return "both" if facts else "fine_tune"


def needs_facts(answers: Answers) -> bool:
    """Whether answers need facts that training would only freeze: then they belong in the prompt."""
    return bool({KNOWLEDGE, HALLUCINATION}.intersection(answers.goals)) or answers.facts in (MONTHLY, DAILY)


def _for(answers: Answers) -> Iterator[AdviceReason]:
    said = {
        BEHAVIOR: "Behavior: fine-tuning teaches a way of working from examples better than instructions describe it.",
        STYLE: "Style: tone and voice are learned from a few hundred examples and need no prompt afterward.",
        FORMAT: "Format: a tuned model sticks to an output format without the tokens that explain it.",
    }
    for goal in answers.goals:
        if goal in said:
            yield AdviceReason("for", said[goal])
    limits = {
        COST: "Cost: a tuned small model with a short prompt replaces a larger model or a long prompt.",
        LATENCY: "Latency: a smaller model with a short prompt answers sooner.",
        PRIVACY: "Privacy: a tuned open model runs on your own machines.",
    }
    for limit in answers.limits:
        yield AdviceReason("for", limits[limit])
    if answers.prompt == NOT_ENOUGH:
        yield AdviceReason("for", "The base model is not good enough even with examples in its prompt.")


def _against(answers: Answers, evidence: Evidence | None) -> Iterator[AdviceReason]:
    if answers.facts in (MONTHLY, DAILY):
        when = "daily" if answers.facts == DAILY else "every few weeks or months"
        yield AdviceReason(
            "against",
            f"The facts change {when}: a tuned model would keep the old ones. Retrieval puts the current ones in "
            "the prompt.",
        )
    if KNOWLEDGE in answers.goals:
        yield AdviceReason(
            "against",
            "Knowledge: fine-tuning is a slow and unreliable way to add facts. Retrieval can also cite its source.",
        )
    if HALLUCINATION in answers.goals:
        yield AdviceReason(
            "against",
            "Hallucination: training on facts that the model does not know makes it invent more (arXiv 2405.05904). "
            "Retrieval gives it something to quote.",
        )
    if answers.prompt == GOOD:
        yield AdviceReason("against", "The base model is good with a prompt, which can be changed in a minute.")
    if answers.prompt == WITH_EXAMPLES:
        yield AdviceReason("against", "Examples in the prompt or JSON mode already work, and need no training.")
    if answers.prompt == NOT_TRIED:
        yield AdviceReason(
            "against", "A prompt has not been tried: it takes an hour, and its score is the one to beat."
        )
    if evidence is None and answers.samples == FEW:
        yield AdviceReason("against", f"Fewer than {LEAST} samples: they work just as well as examples in a prompt.")
    if evidence is not None and evidence.usable < LEAST:
        words = f"Only {evidence.usable} usable samples: they work just as well as examples in a prompt."
        yield AdviceReason("against", words)
    if answers.evaluation == NO_WAY:
        yield AdviceReason("against", "There is no way to tell whether a tuned model would be better.")


def _shown(evidence: Evidence | None) -> Iterator[AdviceReason]:
    if evidence is None:
        return
    if evidence.labels:
        yield AdviceReason(
            "note",
            f"All answers are one of {evidence.labels} labels: also compare with a plain classifier.",
        )
    if (base := evidence.baseline) is not None:
        better = base.tuned < base.base
        yield AdviceReason(
            "for" if better else "against",
            f"Run {base.run} on this dataset: eval loss {base.base:.3f} before and {base.tuned:.3f} after training, on "
            f"{base.samples:,} held-out sample{'s' * (base.samples != 1)}.",
        )


def _missing(answers: Answers, evidence: Evidence | None) -> Iterator[Missing]:
    for key in ("goals", "prompt", "evaluation"):
        if not getattr(answers, key):
            yield Missing(f"An answer to: {QUESTIONS[key].title}")
    if answers.prompt == NOT_TRIED:
        yield Missing("Try your best prompt on the base model, then with three to ten examples, and keep the scores.")
    if answers.evaluation == NO_WAY:
        yield Missing("Choose how to compare: a score on held-out samples, or people who compare answers blind.")
    if evidence is None:
        if answers.samples == FEW:
            yield Missing(f"At least {LEAST} good samples.")
        elif not answers.samples:
            yield Missing("A dataset.")
        else:
            yield Missing("Open the dataset, so that its samples, duplicates and leaks can be counted.", blocks=False)
        return
    yield from _missing_in_data(evidence)


def _missing_in_data(evidence: Evidence) -> Iterator[Missing]:
    usable = evidence.usable
    if usable < LEAST:
        yield Missing(f"{LEAST - usable} more samples: {usable} are usable, and fine-tuning needs at least {LEAST}.")
    if not evidence.held_out:
        yield Missing("An eval set: hold out some of the samples, or set an eval file.")
    elif evidence.held_out < 20:
        yield Missing(
            f"A larger eval set: {evidence.held_out} held-out samples show only large differences.", blocks=False
        )
    if evidence.leaks:
        many = "1 training prompt is" if evidence.leaks == 1 else f"{evidence.leaks:,} training prompts are"
        yield Missing(
            f"{many} also in the eval set. Drop the flag leak_near, or the score will reward memorizing.",
            blocks=evidence.leaks > _LEAKS * evidence.held_out,
        )
    low, _ = evidence.bad_share.interval
    if evidence.audited < min(_AUDIT, usable):
        left = min(_AUDIT, usable)
        read = f" ({evidence.audited} so far)" if evidence.audited else ""
        yield Missing(f"An audit: read {left} samples on Data{read}.", blocks=False)
    elif low > _BAD:
        yield Missing(f"Better data: {evidence.bad_share.words}. Fix or drop these rows first.")
    if evidence.unreadable:
        rows = "1 row is" if evidence.unreadable == 1 else f"{evidence.unreadable:,} rows are"
        blocks = evidence.unreadable > 0.2 * (usable + evidence.unreadable)
        yield Missing(f"{rows} unreadable: fix the file or map its columns.", blocks=blocks)
