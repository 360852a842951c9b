"""Findings on the answers of base and tuned model, in words."""

from __future__ import annotations

from core.engine.generate import Generated


def findings(base: list[Generated], tuned: list[Generated]) -> list[str]:
    """What a person must not miss about the answers: each a sentence. Empty where they differ and end."""
    found = []
    same = sum(one.text == other.text for one, other in zip(base, tuned, strict=True))
    if base and same == len(base):
        found.append(
            f"All {len(base)} answers from the tuned model are identical to the base model's: "
            "training had no visible effect. "
            "Try a higher learning rate or more steps."
        )
    endless = sum(not answer.ended for answer in tuned)
    if tuned and endless * 2 > len(tuned):
        found.append(
            f"{endless} of {len(tuned)} answers from the tuned model were cut off at the token limit. "
            "Raise evaluation.max_new_tokens, or check that the end of each answer is trained on."
        )
    return found
