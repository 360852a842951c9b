"""The weights that a run starts from: the base model, or others (`core.runs.origin`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.engine.load import Hardware, load_base
from core.engine.quantized import is_quantized
from core.engine.worker import Worker
from core.errors import BadInput
from core.recipe.recipe import Recipe, put
from core.runs.origin import BASE, START, Started, base_of, keep_origin, origin_of, start_adapter, started
from core.training.saving import write_whole


def take_origin(worker: Worker, recipe: Recipe, on: Hardware, tokenizer: Any, *, resumed: bool) -> None:
    """Makes sure that a run's folder holds what the run starts from: its adapter, and its own base model if it has one.

    Only the first start of a run writes anything. Of several ranks the first one does, and the others wait for it.

    Args:
        worker: the job's folder.
        recipe: the run's.
        on: device and precision.
        tokenizer: of the model; a merged base gets it, too.
        resumed: whether the run resumes from a checkpoint, and the user has been told.

    Raises:
        BadInput: the weights are not there (any more), or are damaged.
    """
    if not recipe.starts_from:
        return
    run = worker.folder.path
    if worker.rank is None or worker.rank.number == 0:
        if started(run) is None:
            origin = origin_of(recipe, run.parents[1])
            assert origin is not None, "the recipe names one"
            keep_origin(origin, run, recipe)
        begun = started(run)
        assert begun is not None, "it is written by now"
        if begun.merged and begun.kind == "adapter" and not base_of(run):
            _merge(worker, recipe, on, tokenizer, begun)
        if not resumed:
            facts = {"origin": begun.label, "weights": begun.kind, "merged": begun.merged}
            worker.event("start", f"Starting from {begun.words()}.", **facts)
    if worker.rank is not None:
        worker.rank.share([1])  # the others read what the first has written


def with_own_base(recipe: Recipe, run: Path) -> Recipe:
    """The recipe with the run's own base model as its model, where it has one."""
    own = base_of(run)
    return put(put(recipe, "model.path", own), "model.revision", "") if own else recipe


def continued(model: Any, run: Path, fresh: Any) -> Any:
    """The model with the adapter that a run trains further; None where it makes a new one.

    Args:
        model: the base model, as it was loaded.
        run: the run's folder.
        fresh: peft's configuration of a new adapter of the recipe: its dropout counts, the rest is the adapter's own.
    """
    folder = start_adapter(run)
    if folder is None or fresh is None:
        return None
    from peft import PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(folder))
    for name, value in vars(fresh).items():
        if "dropout" in name and hasattr(config, name):
            setattr(config, name, value)
    return PeftModel.from_pretrained(model, str(folder), config=config, is_trainable=True)


def _merge(worker: Worker, recipe: Recipe, on: Hardware, tokenizer: Any, begun: Started) -> None:
    """Writes the base model with the adapter merged into it: over the weights that the adapter was trained on.

    One that was trained over a quantized base is merged into those weights, unpacked, and not into the originals, which
    are another model.
    """
    from peft import PeftModel

    run = worker.folder.path
    worker.phase("loading", f"Merging the adapter of {begun.label} into the base model.")
    source = run / START / BASE
    chosen = put(put(recipe, "model.quantization", begun.quantization), "model.dtype", recipe.model.dtype)
    model = load_base(chosen.model, on, path=str(source) if source.is_dir() else "")
    if is_quantized(model):
        model = model.dequantize()
    merged = PeftModel.from_pretrained(model, str(run / START)).merge_and_unload(safe_merge=True)
    for name, weight in merged.named_parameters():
        if weight.is_floating_point() and not weight.isfinite().all():
            raise BadInput(f"The merged weights are not finite ({name})", where=begun.label, do="Choose other weights")

    def write(folder: Path) -> None:
        merged.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))

    needs = sum(weight.numel() * weight.element_size() for weight in merged.parameters())
    write_whole(worker, run / BASE, write, needs=needs)
