"""The kinds of rewards: one row each, from which form, rules, preflight and docs take what differs.

Standard library only. What a reward computes lives in `core.engine.rewards`, one file per kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RewardKind:
    """One kind of reward.

    Attributes:
        name: its value of `kind`.
        meaning: what it scores, shown in the form.
        module: its file in `core.engine.rewards`.
        uses: the settings of an entry that it reads.
        needs: those without which it cannot work.
        package: what has to be installed for it, as pip names it, and the module to look for; "" for nothing.
        of_tokens: whether it counts tokens of the completion.
        loads: whether it loads a model.
        runs_code: whether it runs a file of the user's, which needs the user's yes.
    """

    name: str
    meaning: str
    module: str
    uses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    package: tuple[str, str] = ("", "")
    of_tokens: bool = False
    loads: bool = False
    runs_code: bool = False


_MATH = ("math-verify", "math_verify")

KINDS: Mapping[str, RewardKind] = {
    kind.name: kind
    for kind in (
        RewardKind("exact_match", "1 if the answer equals the reference", "exact_match", ("column", "pattern")),
        RewardKind("regex", "1 if the pattern is found in the answer", "pattern", ("pattern",), ("pattern",)),
        RewardKind(
            "json_schema",
            "1 if the answer is JSON, and fits the schema in `file` if there is one",
            "json_schema",
            ("file",),
        ),
        RewardKind(
            "length",
            "1 from min_tokens to max_tokens, less the further outside",
            "length",
            ("min_tokens", "max_tokens"),
            of_tokens=True,
        ),
        RewardKind(
            "accuracy",
            "1 if the answer is mathematically equal to the reference (TRL, math-verify)",
            "accuracy",
            ("column",),
            package=_MATH,
        ),
        RewardKind(
            "reasoning_accuracy",
            "accuracy of what follows </think>; 0 if the thinking never ends",
            "accuracy",
            ("column",),
            package=_MATH,
        ),
        RewardKind(
            "cosine_length",
            "accuracy scaled by length: short correct answers score highest (TRL)",
            "accuracy",
            ("column",),
            package=_MATH,
            of_tokens=True,
        ),
        RewardKind("think_format", "1 for one <think> block and an answer after it (TRL)", "think_format"),
        RewardKind(
            "repetition",
            "0 to -1 for the share of repeated n-grams (TRL)",
            "repetition",
            ("ngram",),
            of_tokens=True,
        ),
        RewardKind(
            "soft_overlong",
            "0 to -1 in the last `margin` tokens before the max completion length (TRL, DAPO)",
            "soft_overlong",
            ("margin",),
            of_tokens=True,
        ),
        RewardKind("model", "the score of a reward model", "model", ("model",), ("model",), loads=True),
        RewardKind(
            "python",
            "a function in your own Python file",
            "python",
            ("file", "function", "column", "timeout", "memory"),
            ("file",),
            runs_code=True,
        ),
    )
}
"""Every kind by its name, in the order of the form."""

ANSWER = "answer"
"""What a reward's `column` calls the answer that the dataset gives."""
