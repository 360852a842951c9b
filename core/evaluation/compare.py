"""What the comparison of base and tuned model comes to, in words."""

from __future__ import annotations

from core.engine.generate import Generated


def findings(
    base_loss: float | None, tuned_loss: float | None, base: list[Generated], tuned: list[Generated]
) -> list[str]:
    """What a person must not miss: each a sentence. Empty where the tuned model did better and differs."""
    found = []
    if base_loss is not None and tuned_loss is not None and not tuned_loss < base_loss:
        found.append(
            f"The tuned model is no better on held-out samples: eval loss {tuned_loss:.3f}, the base has "
            f"{base_loss:.3f}. Fewer epochs, a lower learning rate or more samples may help."
        )
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
