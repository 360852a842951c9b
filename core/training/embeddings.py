"""The weights of the embeddings, and groups of their own for them in an optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def embedding_weights(model: Any) -> Iterator[torch.Tensor]:
    """The trained weights of the input embeddings and of the output layer, also of their copies in an adapter."""
    for module in (model.get_input_embeddings(), model.get_output_embeddings()):
        if module is not None:
            yield from (weight for weight in module.parameters() if weight.requires_grad)


def split_groups(optimizer: Any, weights: set[torch.Tensor], rate: float) -> None:
    """Moves weights out of the groups of an optimizer into groups behind them, alike but for the learning rate."""
    for group in list(optimizer.param_groups):
        own = [weight for weight in group["params"] if weight in weights]
        if not own:
            continue
        group["params"] = [weight for weight in group["params"] if weight not in weights]
        optimizer.add_param_group({**group, "params": own, "lr": rate})
    # A group that is left without weights would still give the trainer its learning rate to report.
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
