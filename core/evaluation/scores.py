"""The eval loss of a model, as the trainer measures it while it trains."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from core.engine.encoded import MASKED
from core.engine.load import Hardware
from core.engine.talks import collator
from core.errors import TunedeckError
from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss and what it was measured on.

    Attributes:
        value: mean cross-entropy of the trained tokens in nats: of each batch, then over the samples, as the
            trainer's `eval_loss` is.
        samples: how many samples.
        tokens: how many tokens carry loss in them.
    """

    value: float
    samples: int
    tokens: int


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> Loss:
    """`eval_loss` with the recipe's batches, packed as the trainer packs its held-out samples."""
    size, packing = recipe.training.eval_batch_size, recipe.data.packing
    if packing == "none":
        return eval_loss(model, rows, tokenizer, on, batch_size=size, tick=tick)
    from trl import pack_dataset

    packed = pack_dataset(rows.select_columns(["input_ids", "labels"]), recipe.data.max_length, packing)
    share = len(rows) / max(1, len(packed))
    found = eval_loss(
        model, packed, tokenizer, on, batch_size=size, packing=packing, tick=lambda done: tick(int(done * share))
    )
    return replace(found, samples=len(rows))


def summary(base: Loss | None, tuned: Loss | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement."""
    return {
        "base_loss": base.value if base else None,
        "tuned_loss": tuned.value if tuned else None,
        "eval_samples": base.samples if base else 0,
        "eval_tokens": base.tokens if base else 0,
    }


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["base_loss"] is None or facts["tuned_loss"] is None:
        return ""
    return f"Eval loss: base {facts['base_loss']:.3f}, tuned {facts['tuned_loss']:.3f}"


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    before, after = facts["base_loss"], facts["tuned_loss"]
    if before is None or after is None or after < before:
        return []
    return [
        f"The tuned model is not better on held-out samples: eval loss {after:.3f}, base {before:.3f}. "
        "Try fewer epochs, a lower learning rate or more samples."
    ]


def prepare_losses(model: Any) -> None:
    """Teaches a base model TRL's fused head, so that whole logits never exist; before an adapter is attached.

    The loss of the routers of a mixture of experts is added wherever TRL's trainer adds it.
    """
    from trl.trainer.utils import add_fused_lm_head

    config = model.config.get_text_config()
    if hasattr(config, "router_aux_loss_coef"):
        config.output_router_logits = _adds_router_loss(config)
    add_fused_lm_head(model)


def _adds_router_loss(config: Any) -> bool:
    """Whether TRL's trainer adds the routers' loss to that of the tokens, by the language model's configuration."""
    return hasattr(config, "output_router_logits") and getattr(config, "router_aux_loss_coef", 0.0) != 0.0


def eval_loss(
    model: Any,
    rows: Any,
    tokenizer: Any,
    on: Hardware,
    *,
    batch_size: int,
    tick: Callable[[int], None],
    packing: str = "none",
) -> Loss:
    """Measures the loss of a model on encoded samples.

    Args:
        model: prepared by `prepare_losses`, with or without an adapter.
        rows: a dataset with `input_ids` and `labels`, and `seq_lengths` where samples were packed whole.
        tokenizer: with a padding token.
        on: device and precision.
        batch_size: the recipe's `training.eval_batch_size`, so that the batches are the trainer's.
        tick: called with the number of rows done; may raise to stop.
        packing: how the rows were packed.

    Raises:
        TunedeckError: the loss is not finite.
    """
    collate = collator(tokenizer, packing=packing)
    router_loss = {"output_router_logits": True} if _adds_router_loss(model.config.get_text_config()) else {}
    cast = torch.bfloat16 if on.mixed == "bf16" else torch.float16
    total, tokens = 0.0, 0
    model.eval()
    for start in range(0, len(rows), batch_size):
        tick(start)
        part = rows[start : start + batch_size]
        size = len(part["input_ids"])
        batch = collate([{name: values[n] for name, values in part.items()} for n in range(size)])
        batch = {name: value.to(on.device) if torch.is_tensor(value) else value for name, value in batch.items()}
        casting = nullcontext() if on.mixed == "no" else torch.autocast(on.device.type, dtype=cast)
        with torch.no_grad(), casting:
            loss = float(model(**batch, **router_loss, fused_lm_head=True, use_cache=False).loss)
        if not math.isfinite(loss):
            raise TunedeckError(
                f"The eval loss on samples {start} to {start + size - 1} is {loss}",
                do="The weights are damaged, or overflow this precision: check the last steps of training",
            )
        total += loss * size
        tokens += int((batch["labels"][:, 1:] != MASKED).sum())
    return Loss(total / len(rows), len(rows), tokens)
