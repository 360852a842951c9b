"""One training run from its job's folder: load, encode, train, save; every step written to the folder's files."""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import units
from core.dataset.rendered import ways_on
from core.dataset.without import PARTS
from core.engine.network import check_model_download
from core.engine.process import prepare, set_threads
from core.engine.short_memory import first_line, short_of
from core.engine.torchrun import AGAIN
from core.engine.work import run
from core.engine.worker import Again, Worker, WorkerStopped
from core.errors import BadInput, TunedeckError
from core.jobs import folder as folders
from core.jobs import requests
from core.jobs.files import JobGone, Unreachable
from core.recipe.adapters import adapter_of
from core.recipe.best_metric import best_metric
from core.recipe.devices import is_sharded
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS, headline_of
from core.runs.checkpoint import (
    EVERY,
    FROM_THE_START,
    Checkpoint,
    last_good,
    read,
    refuse_misfits,
    settled,
    where_it_stands,
)
from core.runs.origin import base_of
from core.training.memory_retry import Shortage, no_room, shrink
from core.training.rank_report import report_ranks
from core.training.unfit import refuse_unfit

if TYPE_CHECKING:
    from core.engine.load import Hardware
    from core.engine.template import Template
    from core.training.durable import DurableTrainer
    from core.training.report import Reporter
    from core.training.sampling import Sampling


def main(argv: Sequence[str]) -> int:
    """Trains the run of a folder.

    Args:
        argv: the folder.

    Returns:
        0 finished, 1 failed, 2 bad input, 3 stopped on request.
    """
    return run(argv, train)


def train(worker: Worker, recipe: Recipe) -> None:
    """Trains, and leaves the adapter (or the whole model) in the run's folder.

    Raises:
        Stopped: on request, after saving what there was to save.
        TunedeckError: why it failed, as a sentence.
    """
    began = time.monotonic()
    others = TASKS[recipe.task].memory(recipe).beside
    download = check_model_download(recipe.model.path, recipe.model.revision, others)
    worker.phase("loading", "Loading libraries.")
    prepare(recipe)

    import torch

    from core.engine.load import check_model, hardware, load_tokenizer
    from core.engine.ranks import join
    from core.engine.template import use_template
    from core.training.arguments import refuse_arguments
    from core.training.starting import take_origin

    check_model(recipe.model.path)
    refuse_unfit(recipe)
    set_threads(recipe)
    worker.rank = join(recipe)
    checkpoint = _checkpoint_to_resume(worker, recipe)
    recipe = settled(worker.folder.path, recipe, checkpoint)
    on = hardware(recipe.model, recipe.training.devices, all_weights=adapter_of(recipe).whole)
    refuse_arguments(recipe, on)
    if refused := adapter_of(recipe).over_quantized(recipe, recipe.model.quantization):
        raise BadInput(refused.sentence, where=refused.path)
    if download:
        worker.phase("loading", f"{download} from the Hub.")
    tokenizer = load_tokenizer(recipe.model)
    template = use_template(tokenizer, recipe.model.chat_template)
    take_origin(worker, recipe, on, tokenizer, resumed=checkpoint is not None)
    rows = _encoded(worker, recipe, tokenizer, template, started=checkpoint is not None)
    if TASKS[recipe.task].generates and checkpoint is None:
        from core.training.reward_check import check_rewards

        check_rewards(worker, recipe, tokenizer)
    while shortage := _train(worker, recipe, on, (tokenizer, template), rows, checkpoint, began):
        gc.collect()  # model and optimizer are in circles that hold on to the device's memory
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if worker.rank is not None:
            worker.speak_up()
        recipe = shrink(worker, recipe, shortage)
        if worker.rank is not None:
            raise Again  # the other ranks wait for this one, in the middle of a step
        checkpoint, _ = last_good(worker.folder.checkpoints, EVERY)
        where = "the beginning" if checkpoint is None else where_it_stands(checkpoint)
        worker.event("resume", f"Resuming from {where}.", step=0 if checkpoint is None else checkpoint.step)


def _checkpoint_to_resume(worker: Worker, recipe: Recipe) -> Checkpoint | None:
    """The checkpoint that the run, or its ranks, were started again for; None at a first start.

    Raises:
        BadInput: none is whole, or the recipe does not fit it.
    """
    payload, again = worker.folder.read_job()["payload"], bool(os.environ.get(AGAIN))
    resumed = payload.get("resume")
    if resumed == FROM_THE_START and not again:
        worker.event("resume", "Starting over from step 0: there was no checkpoint yet.", step=0)
        return None
    if not resumed and not again:
        return None
    checkpoint, passed = _last_good(worker)
    for sentence in passed:
        worker.event("alert", sentence)
    if checkpoint is None and not resumed:
        worker.event("resume", "Starting again from the beginning.", step=0)
        return None
    if checkpoint is None:
        where = os.fspath(worker.folder.checkpoints)
        raise BadInput(
            "No complete checkpoint to resume from",
            where=where,
            do=f"Start the run again from the beginning: tunedeck train {worker.folder.recipe}",
        )
    refuse_misfits(checkpoint, recipe)
    worker.event("resume", f"Resuming from {where_it_stands(checkpoint)}.", step=checkpoint.step)
    return checkpoint if worker.rank is None else checkpoint.of_rank(worker.rank.number)


def _last_good(worker: Worker) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint that counts on all ranks: the first reads every file of it, and tells the others which it is."""
    checkpoints = worker.folder.checkpoints
    if worker.rank is None:
        return last_good(checkpoints, EVERY)
    found, passed = last_good(checkpoints, EVERY if worker.rank.number == 0 else 0)
    (step,) = worker.rank.share([-1 if found is None else found.step])
    if step < 0:
        return None, passed
    return (found if found is not None and found.step == step else read(checkpoints / f"checkpoint-{step}")), passed


def _train(
    worker: Worker,
    recipe: Recipe,
    on: Hardware,
    text: tuple[Any, Template],
    rows: tuple[Any, Any],
    checkpoint: Checkpoint | None,
    began: float,
) -> Shortage | None:
    """Trains to the end, or until the memory is short."""
    from transformers import set_seed

    from core.engine.load import load_base
    from core.engine.loss_check import check_loss, check_vocabulary
    from core.engine.quantized import in_four_bits, is_quantized
    from core.engine.ranks import check
    from core.training.rescue import rescued
    from core.training.tasks import training_of

    worker.stop_if_asked("Stopped on request before the model was loaded. There was nothing to save.")
    words = f"Loading the model on {on.name} in {on.precision}"
    worker.phase("loading", f"{words}.")

    def loaded(done: int, of: int) -> None:
        worker.progress(0, 0, f"{words}: {done:,} of {of:,} weights, {100 * done // max(of, 1)}%.")

    try:
        own, head = base_of(worker.folder.path), TASKS[recipe.task].head
        if head:
            set_seed(recipe.training.seed)  # it is made of random numbers
        model = load_base(recipe.model, on, path=own, head=head, sharded=is_sharded(recipe), on_progress=loaded)
    except Exception as error:
        if not (short := short_of(error)):
            raise
        raise no_room(put(recipe, "training.batch_size", 1), short) from error
    refuse_unfit(recipe)  # again: its files may have been downloaded only now
    if adapter_of(recipe).whole and is_quantized(model):
        raise BadInput("A quantized model cannot be trained with method full", where="method", do="Use lora")
    worker.stop_if_asked("Stopped on request before the first step. There was nothing to save.")
    tokenizer, template = text
    check_vocabulary(model, tokenizer)
    # A model that scores has another loss; 4-bit layers are packed for evaluation at the first chance.
    if not head and not is_sharded(recipe) and not in_four_bits(model):
        check_loss(model, tokenizer, mixed=on.mixed)
    try:
        trainer, reporter = _trainer(worker, recipe, on, model, tokenizer, rows, checkpoint)
    except Exception as error:
        if not (short := short_of(error)):  # of a second model, such as a reference
            raise
        raise no_room(put(recipe, "training.batch_size", 1), short) from error
    if checkpoint is None:
        for sentence in training_of(recipe).notes(recipe, rows[0]):
            worker.event("alert", sentence, data="train")
    sampling = _sampling(worker, recipe, tokenizer, template, trainer, reporter)
    _report_parameters(worker, trainer.model)
    if worker.rank is not None:
        report_ranks(worker, check(worker.rank, recipe, trainer.accelerator))
    saving = False
    try:
        try:
            if checkpoint is None:
                trainer.train()
            else:
                trainer.resume_from(checkpoint)
            if not reporter.stopping:
                sampling.answer(trainer.model, trainer.state.global_step, trainer.state.max_steps)
        except Exception as error:
            if not (short := short_of(error)):
                raise
            return Shortage(short, first_line(error), trainer.short_in_evaluation)
        saving = True
        _save(worker, recipe, trainer, tokenizer, began)
        _keep_peak(worker, recipe, on, rows[0])
    except (JobGone, Unreachable) as end:
        raise rescued(worker, recipe, trainer, tokenizer, end) from end
    except WorkerStopped as end:
        if end.now or not (saving or worker.lost()):
            raise
        raise rescued(worker, recipe, trainer, tokenizer, end) from end
    step = f"step {trainer.state.global_step:,} of {trainer.state.max_steps:,}"
    if reporter.stopping:
        worker.done(requests.STOP, f"Stopped at {step}; checkpoint and weights are saved.")
        raise WorkerStopped(f"Stopped on request at {step}; checkpoint and weights are saved.")
    return None


def _encoded(worker: Worker, recipe: Recipe, tokenizer: Any, template: Any, *, started: bool) -> tuple[Any, Any]:
    """The training and the held-out part of the view as datasets; the latter is None where it is empty.

    Raises:
        BadInput: nothing would be trained, or something else than the data says; a run that has `started` is only told.
    """
    from core.engine.encode import stop_trained
    from core.engine.encode_all import caches_of, encode_all
    from core.engine.encoded import EncodingSettings
    from core.engine.samples import flags_of_view, not_rendered_words
    from core.training.contributions import note_contributions

    data = worker.folder.data
    caches = caches_of(worker.folder.path)
    settings = EncodingSettings.of(recipe, template, drop_flags=flags_of_view(data))
    which = f" (chat template: {template.origin})" if template.text or template.plain else ""
    worker.phase("encoding", f"Tokenizing the samples{which}.")
    samples = worker.job["payload"].get("samples") or {}
    of = int(samples.get("train") or 0) + int(samples.get("eval") or 0)
    before = 0

    def seen(done: int) -> None:
        known = f" of {of:,} samples" if of else ""
        worker.progress(0, 0, f"Tokenizing the samples: {before + done:,}{known}.")
        worker.stop_if_asked("Stopped on request while tokenizing the samples. There was nothing to save.")

    train_rows, facts = encode_all(data / "train.jsonl", tokenizer, settings, caches=caches, seen=seen)
    for sentence, fields in facts.alerts():
        worker.event("alert", sentence, data="train", **fields)
    if settings.train_without:
        parts = " and ".join(PARTS[part] for part in settings.train_without)
        worker.event(
            "data",
            f"Training without {parts} (data.train_without): removed from {facts.reduced:,} of {facts.samples:,} "
            "samples.",
            reduced=facts.reduced,
        )
    lost = list(facts.not_rendered)
    task = TASKS[recipe.task]
    if not lost and (facts.kept == 0 if task.generates else facts.trained_tokens == 0):
        what = "is a prompt that can be used" if task.generates else "has a trained token"
        raise BadInput(
            f"None of the {facts.samples:,} samples {what}, so there is nothing to learn",
            where=str(data / "train.jsonl"),
            do=_why_nothing(recipe, facts.cut_away, facts.refused),
        )
    note_contributions(data, facts.each)
    eval_rows = None
    if (data / "eval.jsonl").exists():
        before = facts.samples
        kept = replace(settings, drop_flags=()) if recipe.data.eval else settings  # the user's own file is kept whole
        eval_rows, held_out = encode_all(data / "eval.jsonl", tokenizer, kept, caches=caches, seen=seen)
        if not recipe.data.eval:
            lost += held_out.not_rendered
        elif held_out.not_rendered:
            words = not_rendered_words(held_out.not_rendered)
            worker.event("alert", f"Eval set: {words}.", data="eval", count=len(held_out.not_rendered))
        for sentence, fields in held_out.alerts():
            worker.event("alert", f"Eval set: {sentence}", data="eval", **fields)
        if len(eval_rows) == 0:
            eval_rows = None
    if lost:
        words = not_rendered_words(sorted(lost))
        if not started:
            raise BadInput(words, where="model.chat_template", do=ways_on(what for _, what in lost))
        worker.event("alert", f"{words}.", data="train", rows=[row for row, _ in sorted(lost)[:20]])
    if template.text and template.marks_answers and not stop_trained(settings):
        worker.event(
            "alert",
            "The chat template does not train the end of an answer, so the model may not learn to stop.",
        )
    if template.plain and (moved := _moved_boundaries(data / "train.jsonl", tokenizer, recipe)):
        worker.event("alert", moved)
    if not template.prompt_kept:
        worker.event(
            "alert",
            "The chat template renders a prompt differently with and without its answer, "
            "so the model is trained on a different context than it will see in use.",
        )
    chunks = (
        f" in {facts.sequences:,} chunks of up to {recipe.data.max_length:,} tokens"
        if facts.chunked and recipe.data.chunk_text
        else ""
    )
    held = f", {len(eval_rows):,} held out" if eval_rows is not None else ", none held out"
    worker.event(
        "data",
        f"{facts.kept:,} prompts{held}; {facts.tokens:,} tokens. The model writes the answers."
        if task.generates
        else f"{facts.kept:,} samples{chunks}{held}; {facts.tokens:,} tokens, {facts.trained_tokens:,} trained.",
        samples=facts.kept,
        tokens=facts.tokens,
        trained_tokens=facts.trained_tokens,
        eval_samples=0 if eval_rows is None else len(eval_rows),
    )
    return train_rows, eval_rows


_BOUNDARIES = 500
"""Samples of which is looked at how prompt and completion meet."""


def _moved_boundaries(view: Path, tokenizer: Any, recipe: Recipe) -> str:
    """What to say where the tokens at the end of plain prompts are others once the completion follows, or ""."""
    from core.dataset.plain import why_no_plain_pair
    from core.dataset.without import without
    from core.engine.plain import moved_boundary
    from core.engine.samples import read_view
    from core.engine.talks import supervised_turns

    looked = moved = 0
    for row in islice(read_view(view), _BOUNDARIES):
        if row.sample.kind == "text":
            continue
        try:
            turns = supervised_turns(without(row.sample, recipe.data.train_without))
        except BadInput:
            continue
        if not why_no_plain_pair(turns, row.sample.tools):
            looked += 1
            moved += moved_boundary(turns, tokenizer)
    if not moved:
        return ""
    among = f"the first {looked:,} samples" if looked == _BOUNDARIES else f"{looked:,} samples"
    return (
        f"In {moved:,} of {among} a token spans the end of the prompt and the start of the completion, so the model "
        "sees other tokens at inference than in training. Start completions with a space or end prompts with a newline."
    )


def _why_nothing(recipe: Recipe, cut_away: int, refused: list[tuple[int, str]]) -> str:
    if refused:
        return refused[0][1]
    if cut_away:
        return f"Raise data.max_length: at {recipe.data.max_length:,} tokens, every answer is cut off"
    return "Check the samples: their answers are empty, or marked as not trained"


def _trainer(
    worker: Worker,
    recipe: Recipe,
    on: Hardware,
    model: Any,
    tokenizer: Any,
    rows: tuple[Any, Any],
    checkpoint: Checkpoint | None,
) -> tuple[DurableTrainer, Reporter]:
    from core.training.best import EarlyStopping
    from core.training.build import build
    from core.training.effects import check_effects
    from core.training.movement import WeightMovement
    from core.training.report import Reporter
    from core.training.rollouts import GeneratingTrainer
    from core.training.starting import with_own_base

    reporter = Reporter(worker, resumed=checkpoint)
    callbacks = [reporter, EarlyStopping(worker, recipe, checkpoint)]
    trainer = build(worker, recipe, on, model, tokenizer, rows, resumed=checkpoint, callbacks=callbacks)
    check_effects(trainer, with_own_base(recipe, worker.folder.path))

    def not_finite(key: str, value: float) -> None:
        state = trainer.state
        worker.speak_up()
        worker.metric({"step": state.global_step + trainer.model.training, key: value, "epoch": state.epoch})

    trainer.on_not_finite = not_finite
    if isinstance(trainer, GeneratingTrainer):
        trainer.within = lambda evaluating: reporter.within(trainer.state, evaluating=evaluating)
    trainer.between_steps = lambda save: reporter.between_steps(trainer.state, trainer.control, save)
    reporter.in_step = trainer.in_step
    if adapter_of(recipe).whole and not is_sharded(recipe):  # FSDP holds what it trains in float32
        reporter.movement = WeightMovement(trainer.model)
    return trainer, reporter


def _sampling(
    worker: Worker,
    recipe: Recipe,
    tokenizer: Any,
    template: Template,
    trainer: DurableTrainer,
    reporter: Reporter,
) -> Sampling:
    """What answers the sample prompts, before whoever wants the run paused gets it."""
    from core.training.sampling import Sampling

    sampling = Sampling(worker, recipe, tokenizer, template, shared=is_sharded(recipe))
    hold = trainer.between_steps

    def between_steps(save: Callable[[], None]) -> None:
        state = trainer.state
        if sampling.due(state.global_step, state.max_steps):
            sampling.answer(trainer.model, state.global_step, state.max_steps)
            reporter.rested()
        hold(save)

    trainer.before_steps = lambda: sampling.answer(trainer.model, 0, trainer.state.max_steps)
    trainer.between_steps = between_steps
    return sampling


def _report_parameters(worker: Worker, model: Any) -> None:
    from core.training.adapted import count

    counted = count(model)
    if counted.trained_parameters == 0:
        raise BadInput("Nothing would be trained: no weight has a gradient", where="lora.targets")
    worker.event("model", counted.words(), **counted.fields())


def _save(worker: Worker, recipe: Recipe, trainer: DurableTrainer, tokenizer: Any, began: float) -> None:
    from core.runs.saved import weights_at
    from core.training.best import load_best
    from core.training.finite import Guard
    from core.training.saving import save_model
    from core.training.sharded import whole_weights

    state = trainer.state
    worker.phase("saving", "Saving the weights.", step=state.global_step, of=state.max_steps)
    if recipe.training.keep_best:
        worker.reach("the best checkpoint could not be read", patience=folders.GONE_AFTER)
    best = load_best(worker, trainer) if recipe.training.keep_best else None
    step = state.global_step if best is None else best
    saved = weights_at(state.log_history, step, state.global_step, state.max_steps, recipe.task, headline_of(recipe))
    Guard(recipe, "no").weights(trainer.model, state.global_step)
    target = worker.folder.path / adapter_of(recipe).folder
    # Under FSDP every rank has a part: they put the weights together, and rank 0 writes them.
    weights = whole_weights(trainer.model, trained_only=not adapter_of(recipe).whole) if is_sharded(recipe) else None
    if trainer.args.should_save:
        model = trainer.accelerator.unwrap_model(trainer.model)
        begun, patience = trainer.begun, folders.GONE_AFTER
        save_model(worker, model, tokenizer, target, recipe, saved, begun=begun, weights=weights, patience=patience)
    facts = {
        "steps": state.global_step,
        "seconds": round(worker.folder.read_status().earlier + time.monotonic() - began, 1),  # of all its starts
        "saved_step": saved.step,
        **saved.metrics(),
        "peak_memory": _peak_memory(),
    }
    words = (
        f"{units.count(state.global_step)} step{'s' * (state.global_step != 1)} in {units.duration(facts['seconds'])}"
    )
    chosen = best_metric(recipe)
    if best is not None and chosen.name != saved.headline.eval_metric:
        words += f", best by {chosen.title} ({state.best_metric:.4g})"
    if saved.eval_first is not None:
        words += f", {saved.headline.eval_title} {saved.eval_first:.3f} before"
    worker.event("summary", f"{words}; saved to {target.name}/: {saved.words()}.", path=os.fspath(target), **facts)


def _keep_peak(worker: Worker, recipe: Recipe, on: Hardware, rows: Any) -> None:
    """Adds what the run took to what forecasts of this model on this machine are corrected with."""
    from core.recipe.memory import context_bytes, forecast
    from core.recipe.model_shape import read_shape
    from core.runs.exact_memory import MeasuredPeak, keep_measured

    if worker.rank is not None and worker.rank.number:
        return
    with suppress(OSError, TunedeckError):  # the run has finished all the same
        shape = read_shape(recipe.model.path, recipe.model.revision)
        longest = _longest(recipe, rows)
        peak = _peak_memory() + (0 if on.kind == "cpu" else context_bytes(on.kind))  # torch does not count it
        fast = forecast(recipe, shape, on.kind, longest=longest).total
        workspace, run = worker.folder.path.parents[1], worker.folder.id
        found = MeasuredPeak(run, peak, fast, longest)
        keep_measured(workspace, recipe, on.kind, on.name, found)


def _longest(recipe: Recipe, rows: Any) -> int:
    """Tokens of the longest sample, as far as its columns tell."""
    import pyarrow.compute as pc

    found = {
        name: pc.max(pc.list_value_length(rows.data.column(name))).as_py() or 0
        for name, kind in TASKS[recipe.task].columns.items()
        if kind == "tokens"
    }
    prompt = found.pop("prompt_ids", 0)
    return min(recipe.data.max_length, prompt + max(found.values(), default=0))


def _peak_memory() -> int:
    """The most memory that was in use, in bytes: of the GPU as torch reserved it, else of this process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
