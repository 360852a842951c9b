"""Whether the loss that TRL trains is the model's own: TRL computes it from the last hidden states, by itself."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from core.clean import clean_line
from core.engine.short_memory import short_of
from core.errors import BadInput

_TEXT = "The quick brown fox jumps over the lazy dog. The dog sleeps on."
_APART, _APART_16 = 1e-4, 0.02
"""By how much the two may differ, relative to the loss, in 32 and in 16 bits."""


def name_experts(model: Any) -> None:
    """Gives a mixture of experts the names in its configuration that TRL's loss of the routers asks for.

    Args:
        model: as it was loaded.
    """
    config = model.config.get_text_config()
    if hasattr(config, "router_aux_loss_coef"):
        if not hasattr(config, "num_experts"):
            config.num_experts = getattr(config, "num_local_experts", 0) or getattr(config, "n_routed_experts", 0)
        if not config.num_experts:
            config.router_aux_loss_coef = 0.0
    if model.base_model is model and hasattr(model, "model"):
        model.base_model_prefix = "model"  # Llama 4 names it after its place in the whole


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Makes sure that the embedding has a row for each token.

    Args:
        model: as it was loaded.
        tokenizer: of the model.

    Raises:
        BadInput: it has fewer.
    """
    highest, rows = max(tokenizer.get_vocab().values()), model.get_input_embeddings().weight.shape[0]
    if highest >= rows:
        raise BadInput(
            f"The tokenizer has {highest + 1:,} tokens, but the embedding has only {rows:,} rows: a higher token ID "
            "would crash the run",
            where="model.path",
            do="Use the tokenizer that came with these weights, or weights whose embedding was resized",
        )


def check_loss(model: Any, tokenizer: Any, *, mixed: str = "no") -> None:
    """Compares both losses on a short text.

    Args:
        model: as it was loaded, on its device, and not shared out.
        tokenizer: of the model.
        mixed: the trainer's automatic casts, `Hardware.mixed`: some kernels compute in 16 bits alone.

    Raises:
        BadInput: they differ, or TRL cannot compute its own: training would teach another model than this one.
    """
    from trl.trainer.utils import add_fused_lm_head

    ids = torch.tensor([tokenizer(_TEXT)["input_ids"]], device=model.device)
    batch: dict[str, Any] = {
        "input_ids": ids,
        "labels": ids.clone(),
        "attention_mask": torch.ones_like(ids),
        "use_cache": False,
    }
    config = model.config.get_text_config()
    routers = getattr(config, "output_router_logits", None)
    weight: float = getattr(config, "router_aux_loss_coef", 0.0)
    training = model.training
    cast = torch.bfloat16 if mixed == "bf16" else torch.float16
    casting = nullcontext() if mixed == "no" else torch.autocast(model.device.type, dtype=cast)
    model.eval()
    try:
        if routers:
            config.output_router_logits = False
        with torch.no_grad(), casting:
            own = float(model(**batch).loss)
            add_fused_lm_head(model)
            fused = float(model(**batch, fused_lm_head=True).loss)
            if routers is not None and weight:
                model(**batch, fused_lm_head=True, output_router_logits=True)
    except (AttributeError, TypeError, ValueError, IndexError, KeyError, RuntimeError) as error:
        if short_of(error):
            raise
        words = clean_line(f"{type(error).__name__}: {error}", 160)
        raise BadInput(
            f"The loss of {type(model).__name__} cannot be computed ({words})",
            where="model.path",
            do="Choose another model",
        ) from error
    finally:
        model.__dict__.pop("forward", None)  # the trainer adds its own
        if routers:
            config.output_router_logits = routers
        model.train(training)
    apart = _APART if mixed == "no" and model.dtype is torch.float32 else _APART_16
    if abs(own - fused) > apart * max(abs(own), 1.0):
        raise BadInput(
            f"TRL's loss of {type(model).__name__} is not the model's own ({fused:.3f} and {own:.3f}), so it would be "
            "trained on the wrong loss",
            where="model.path",
            do="Choose another model",
        )
