"""One reward of a recipe: what scores the answers that the model writes while it trains."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import Condition, one_of
from core.recipe.declare import knob
from core.recipe.rewards import KINDS


def _used(name: str) -> Condition:
    """That the kind reads this setting."""
    return one_of("kind", *(kind.name for kind in KINDS.values() if name in kind.uses))


@dataclass(frozen=True, slots=True)
class RewardEntry:
    """One reward and its settings; each kind reads some of them."""

    kind: str = knob(
        "exact_match",
        title="Kind",
        help="What this reward scores.",
        choices={kind.name: kind.meaning for kind in KINDS.values()},
    )
    weight: float = knob(
        1.0,
        title="Weight",
        help="What its score is multiplied by before the rewards are added; 0 only logs it.",
    )
    name: str = knob("", title="Name", help="The name of its chart. The default is the kind, or the function's name.")
    column: str = knob(
        "",
        title="Column",
        help="The dataset column with the reference. The default is the answer in the data.",
        when=_used("column"),
    )
    pattern: str = knob(
        "",
        title="Pattern",
        help="A regular expression. For exact_match, it selects what to compare: its first group, or the whole match.",
        when=_used("pattern"),
    )
    file: str = knob(
        "",
        title="File",
        path=True,
        help="A JSON schema, or a Python file with the reward function.",
        when=_used("file"),
    )
    model: str = knob(
        "",
        title="Model",
        path=True,
        help="A run of the task reward, its folder, or a sequence classifier on the Hub.",
        when=_used("model"),
    )
    function: str = knob("reward", title="Function", help="The function in the Python file.", when=_used("function"))
    min_tokens: int = knob(
        0, title="Min tokens", help="The shortest answer that scores 1.", ge=0, when=_used("min_tokens")
    )
    max_tokens: int = knob(
        0, title="Max tokens", help="The longest answer that scores 1; 0 for no limit.", ge=0, when=_used("max_tokens")
    )
    ngram: int = knob(3, title="N-gram", help="How many tokens in a row count as repeated.", ge=1, when=_used("ngram"))
    margin: int = knob(
        64,
        title="Margin",
        help="The penalty grows over this many tokens before the max completion length.",
        ge=1,
        when=_used("margin"),
    )
    timeout: float = knob(
        30.0,
        title="Timeout",
        help="The longest that one call of the function may take, in seconds.",
        gt=0,
        le=3600,
        when=_used("timeout"),
    )
    memory: float = knob(
        2.0,
        title="Memory",
        help="The memory limit of the function's process, in GiB.",
        gt=0.1,
        le=1024,
        when=_used("memory"),
    )
