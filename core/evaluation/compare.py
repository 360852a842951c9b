"""What the comparison of base and tuned model comes to, in words."""

from __future__ import annotations

from core.engine.generate import Generated


def findings(base: list[Generated], tuned: list[Generated]) -> list[str]:
    """What a person must not miss of the answers: each a sentence. Empty where they differ and end."""
    found = []
    same = sum(one.text == other.text for one, other in zip(base, tuned, strict=True))
    if base and same == len(base):
        found.append(
            f"The tuned model answers all {len(base)} prompts exactly as the base does: "
            "the training has changed nothing that shows. A higher learning rate or more steps may help."
        )
    endless = sum(not answer.ended for answer in tuned)
    if tuned and endless * 2 > len(tuned):
        found.append(
            f"The tuned model did not end its turn in {endless} of {len(tuned)} answers: it was cut at the limit. "
            "Raise evaluation.max_new_tokens, or look whether the end of an answer is trained."
        )
    return found
