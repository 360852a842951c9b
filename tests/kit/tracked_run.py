"""A real run of two steps on the CPU with its live tensor bytes tracked: what an exact forecast is held against."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from core.recipe.recipe import Recipe, to_json


def tracked_peak(recipe: Recipe, lengths: Sequence[tuple[int, int]] = ()) -> int:
    """The most bytes of tensors that were alive at once in the steps of a real run, weights included.

    Args:
        recipe: of a model with weights.
        lengths: as for `core.training.forecast.measure_step`.
    """
    import torch

    from core.engine.load import hardware, load_base, load_tokenizer
    from core.engine.worker import Worker
    from core.jobs.folder import JobFolder
    from core.recipe.adapters import adapter_of
    from core.recipe.tasks import TASKS
    from core.training.build import build
    from core.training.forecast import rows_of, two_steps
    from core.training.tracked import MemoryTracker

    small = two_steps(recipe)
    on = hardware(small.model, "cpu", all_weights=adapter_of(recipe).whole)
    tracker = MemoryTracker(block=64)
    torch.set_num_threads(1)  # with two, on a busy machine, a step takes five times as long
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(JobFolder.create(folder, "tracked", "training", payload={"recipe": to_json(small)}))
        model = load_base(small.model, on, head=TASKS[recipe.task].head)
        tracker.add(_tensors(model))
        with tracker:
            trainer = build(worker, small, on, model, load_tokenizer(small.model), (rows_of(small, lengths), None))
            tracker.add(_tensors(trainer.model))
            trainer.args.train_sampling_strategy = "sequential"
            tracker.reset()
            trainer.train()
    return tracker.peak


def _tensors(model: Any) -> list[Any]:
    """Everything that a loaded model holds, with what bitsandbytes keeps beside its packed weights."""
    found = [*model.parameters(), *model.buffers()]
    for weight in model.parameters():
        state = getattr(weight, "quant_state", None)
        if state is not None:
            nested = getattr(state, "state2", None)
            found += [state.absmax, state.code, *([nested.absmax, nested.code] if nested is not None else [])]
        found += [each for each in (getattr(weight, "CB", None), getattr(weight, "SCB", None)) if each is not None]
    return found
