"""Models without their weights, for whoever only asks for shapes: from `config.json` alone, at no size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine.load import Hardware
    from core.recipe.recipe import Model

_FINISH: ContextVar[Callable[[Any], None] | None] = ContextVar("finish", default=None)


@contextmanager
def without_weights(finish: Callable[[Any], None]) -> Iterator[None]:
    """Has `core.engine.load.load_base` load no weights inside the block.

    Args:
        finish: called with each model; it may put other layers in.
    """
    token = _FINISH.set(finish)
    try:
        yield
    finally:
        _FINISH.reset(token)


def only_shapes() -> bool:
    """Whether models are made without weights now."""
    return _FINISH.get() is not None


def unloaded(auto: Any, model: Model, source: str, on: Hardware, *, path: str, head: str) -> Any:
    """A model of a folder's `config.json`, its weights as torch makes empty ones now.

    Args:
        auto: the class that loads it.
        model: the recipe's model section.
        source: the folder or Hub model ID.
        on: in what precision.
        path: as for `load_base`.
        head: as for `load_base`.
    """
    from transformers import AutoConfig
    from transformers.initialization import no_init_weights

    from core.engine.loss_check import name_experts

    config = AutoConfig.from_pretrained(
        source,
        revision=(model.revision or None) if not path else None,
        trust_remote_code=model.trust_remote_code,
        local_files_only=True,
    )
    if head:
        config.num_labels = 1
    with no_init_weights():
        made = auto.from_config(
            config,
            dtype=on.dtype,
            attn_implementation=None if model.attention == "auto" else model.attention,
            trust_remote_code=model.trust_remote_code,
        )
    made.tie_weights()
    name_experts(made)
    finish = _FINISH.get()
    assert finish is not None
    finish(made)
    return made
