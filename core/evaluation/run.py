"""One comparison in a run's folder: the base model is measured and prompted, then the tuned one, then both written."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.clean import clean_line
from core.engine.process import prepare, set_threads
from core.engine.short_memory import first_line, ran_out_of, short_of
from core.engine.work import run
from core.engine.worker import Worker
from core.errors import BadInput, TunedeckError
from core.evaluation.by_task import TaskScores, rows_by_task
from core.jobs import files
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS
from core.runs.origin import base_of, start_adapter, started
from core.runs.reward_files import with_kept_files
from core.runs.saved import read_weights, refuse_damaged_weights

if TYPE_CHECKING:
    from core.engine.generate import Generated
    from core.engine.load import Hardware
    from core.engine.prompts import Prompt
    from core.engine.template import Template
    from core.evaluation.measures import Measure

T = TypeVar("T")

_Compared = tuple["Measure", dict[str, Any], tuple[list["Generated"], list["Generated"]]]
"""How it was measured, the scores, and the answers of base and tuned model."""


def main(argv: Sequence[str]) -> int:
    """Compares base and tuned model of a run's folder.

    Args:
        argv: the folder.

    Returns:
        0 finished, 1 failed, 2 bad input, 3 stopped on request.
    """
    return run(argv, evaluate)


def evaluate(worker: Worker, recipe: Recipe) -> None:
    """Writes `evaluation/summary.json` and `answers.jsonl`.

    Raises:
        Stopped: on request; nothing is written then.
        TunedeckError: why it failed, as a sentence.
    """
    began = time.monotonic()
    recipe = with_kept_files(recipe, worker.folder.path)
    worker.phase("loading", "Loading libraries.")
    worker.nothing_to_save = "Nothing to save: training is finished and saved, and a comparison has no checkpoints."
    prepare(recipe, alone=True)
    tuned_folder = _tuned_folder(worker, recipe)

    from core.engine.load import hardware, load_tokenizer
    from core.engine.template import use_template

    set_threads(recipe)
    on = hardware(recipe.model, recipe.training.devices, all_weights=adapter_of(recipe).whole)
    tokenizer = load_tokenizer(recipe.model)
    template = use_template(tokenizer, recipe.model.chat_template)
    rows, prompts, places = _held_out(worker, recipe, tokenizer, template)
    worker.stop_if_asked(_STOPPED)

    def compare(recipe: Recipe, measuring: Callable[[], None]) -> _Compared:
        both = _Both(worker, recipe, tokenizer, template, on, rows, prompts, measuring, places)
        return both.scores, *_compare(worker, recipe, on, both, tuned_folder)

    found = within_memory(worker, recipe, compare)
    if found is not None:
        _write(worker, began, tuned_folder, *found, prompts, writes=TASKS[recipe.task].writes)


def within_memory(worker: Worker, recipe: Recipe, compare: Callable[[Recipe, Callable[[], None]], T]) -> T | None:
    """Compares with half the batches as often as the memory is short.

    Args:
        worker: gets an event each time.
        recipe: with the batches to begin with.
        compare: compares; calls what it is given once the models are loaded and batches begin to count.

    Returns:
        What it found; None where not even single samples fit. That is said at the worker's end, and is no failure: the
        training is done and saved.
    """
    measuring: list[bool] = []
    while True:
        measuring.clear()
        try:
            return compare(recipe, lambda: measuring.append(True))
        except Exception as error:
            if not (short := short_of(error)):
                raise
            reason = first_line(error)
        _free_memory()
        less = smaller(recipe) if measuring else None
        if less is None:
            when = "even with one sample at a time" if measuring else "while loading the models"
            ran_out = f"{ran_out_of(short)[0].lower()}{ran_out_of(short)[1:]}"
            words = (
                f"Training is finished and saved, but base and tuned models were not compared: {ran_out} {when}. Free "
                "some memory, or use a shorter max length."
            )
            worker.event("oom", words, reason=reason)
            worker.closing_words = words
            return None
        recipe = less
        batches = recipe.training.eval_batch_size, recipe.evaluation.batch_size
        words = f"{ran_out_of(short)} while comparing. Starting the comparison again with smaller batches: "
        words += f"{batches[0]:,} for losses, {batches[1]:,} for answers."
        worker.event("oom", words, eval_batch_size=batches[0], batch_size=batches[1], reason=reason)


def smaller(recipe: Recipe) -> Recipe | None:
    """The recipe with half the batches of a comparison; None where both are one already."""
    batches = recipe.training.eval_batch_size, recipe.evaluation.batch_size
    if max(batches) == 1:
        return None
    less = put(recipe, "training.eval_batch_size", max(1, batches[0] // 2))
    return put(less, "evaluation.batch_size", max(1, batches[1] // 2))


def _compare(
    worker: Worker, recipe: Recipe, on: Hardware, both: _Both, tuned_folder: Path
) -> tuple[dict[str, Any], tuple[list[Generated], list[Generated]]]:
    """Scores, and the answers of base and tuned model; both models are gone again when it returns."""
    from core.engine.load import load_base

    words = f"Loading the base model on {on.name}"
    worker.phase("loading", f"{words}.")
    own = base_of(worker.folder.path)
    head = TASKS[recipe.task].head
    model = load_base(recipe.model, on, path=own, head=head, on_progress=_loaded(worker, words))
    before = _as_started(worker, model, head)
    base_scores, base = both.measure(before, "base")
    if before is not model:  # the adapter that the run has trained is put into the base model alone
        model = before.unload() if hasattr(before.base_model, "unload") else before.get_base_model()
    worker.stop_if_asked(_STOPPED)
    worker.reach("the adapter could not be read")
    tuned_model = _attach(worker, recipe, model, tuned_folder, on)
    tuned_scores, tuned = both.measure(tuned_model, "tuned")
    found = both.scores.summary(base_scores, tuned_scores, recipe)
    if both.by_task is not None:
        found["tasks"] = both.by_task.summary(recipe)
        for line in found["tasks"]:
            worker.event("task", f"{clean_line(line['task'], 60)}: {line['words']}.", **line)
    return found, (base, tuned)


def _as_started(worker: Worker, model: Any, head: str) -> Any:
    """The model that the run began with: with the adapter that it has trained further, where there is one.

    What training measures against, and what a user had before, is that model and not the bare base.
    """
    begun = start_adapter(worker.folder.path)
    if begun is None or head:
        return model
    from peft import PeftModel

    from core.engine import bottleneck

    bottleneck.register()
    said = started(worker.folder.path)
    label = "" if said is None else said.label
    words = f"This comparison uses the model that the run started from as its base ({clean_line(label, 80)})."
    worker.event("comparison-base", words, origin=label)
    return PeftModel.from_pretrained(model, str(begun))


def _free_memory() -> None:
    gc.collect()  # a model is in circles that hold on to the device's memory
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


_STOPPED = "Stopped on request while comparing the base and tuned models."


def _tuned_folder(worker: Worker, recipe: Recipe) -> Path:
    adapter = adapter_of(recipe)
    folder = worker.folder.path / adapter.folder
    if not (folder / adapter.weights).exists():
        raise BadInput("No trained model to compare", where=str(folder), do="Train first")
    refuse_damaged_weights(folder)
    return folder


def _held_out(
    worker: Worker, recipe: Recipe, tokenizer: Any, template: Template
) -> tuple[Any, list[Prompt], dict[str, list[int]]]:
    """The encoded samples, prompts from them, and the places of each task's, where the dataset holds several."""
    from core.engine.encode_all import caches_of, encode_all
    from core.engine.encoded import EncodingSettings
    from core.engine.prompts import held_out_prompts
    from core.engine.samples import flags_of_view, read_view

    path = worker.folder.data / "eval.jsonl"
    if not path.exists() or path.stat().st_size == 0:
        worker.event("alert", "The base and tuned models cannot be compared: no samples are held out.")
        return None, [], {}
    worker.phase("encoding", "Tokenizing the held-out samples.")
    drop_flags = () if recipe.data.eval else flags_of_view(worker.folder.data)  # the user's own file is kept whole
    settings = EncodingSettings.of(recipe, template, drop_flags=drop_flags)
    caches = caches_of(worker.folder.path)
    rows, facts = encode_all(path, tokenizer, settings, caches=caches, seen=lambda _: worker.stop_if_asked(_STOPPED))
    prompts = held_out_prompts(
        read_view(path),
        recipe.evaluation.prompts if TASKS[recipe.task].writes else 0,
        tokenizer,
        template,
        max_length=recipe.data.max_length,
        train_without=recipe.data.train_without,
    )
    places = rows_by_task(path, facts.each, len(rows)) if recipe.data.row_tasks is not None else {}
    return (rows if len(rows) else None), prompts, places


def _attach(worker: Worker, recipe: Recipe, model: Any, folder: Path, on: Hardware) -> Any:
    """The tuned model from disk, as anybody would load it; every weight must be finite."""
    import torch

    from core.engine.load import load_base
    from core.evaluation.scores import prepare_losses

    words = f"Loading the tuned model from {folder.name}/"
    worker.phase("loading", f"{words}.")
    if adapter_of(recipe).whole:
        head = TASKS[recipe.task].head
        tuned = load_base(recipe.model, on, path=str(folder), head=head, on_progress=_loaded(worker, words))
        if not head:
            prepare_losses(tuned)
        fresh = list(tuned.named_parameters())
    else:
        from peft import PeftModel

        from core.engine import bottleneck
        from core.engine.token_rows import readable_head

        bottleneck.register()
        frozen = {id(weight) for weight in model.parameters()}
        tuned = PeftModel.from_pretrained(model, str(folder))
        readable_head(tuned)
        fresh = [(name, weight) for name, weight in tuned.named_parameters() if id(weight) not in frozen]
    for name, weight in fresh:
        if weight.is_floating_point() and not torch.isfinite(weight).all():
            raise TunedeckError(
                f"The trained weights are not finite ({name}): training failed, even if it reported success",
                where=str(folder),
                do="Train again with a lower learning rate",
            )
    return tuned


def _loaded(worker: Worker, words: str) -> Callable[[int, int], None]:
    return lambda done, of: worker.progress(0, 0, f"{words}: {done:,} of {of:,} weights, {100 * done // max(of, 1)}%.")


class _Both:
    """Measures and prompts either model in the same way."""

    def __init__(
        self,
        worker: Worker,
        recipe: Recipe,
        tokenizer: Any,
        template: Template,
        on: Hardware,
        rows: Any,
        prompts: list[Prompt],
        measuring: Callable[[], None],
        places: Mapping[str, Sequence[int]],
    ) -> None:
        from core.evaluation.measures import measure_of

        self.scores = measure_of(recipe)
        self.by_task = TaskScores(self.scores, rows, places) if places else None
        self._scores_alone = bool(TASKS[recipe.task].head)  # the base has no head to measure
        self._worker = worker
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._template = template
        self._on = on
        self._rows = rows
        self._prompts = prompts
        self._of = (1 if self._scores_alone else 2) * ((len(rows) if rows is not None else 0) + len(prompts))
        self._done = 0
        self._measuring = measuring

    def measure(self, model: Any, name: str) -> tuple[Any, list[Generated]]:
        """What is measured of one model, None without held-out samples, and its answers; `name`: `base`, `tuned`."""
        from core.engine.generate import generate, stop_ids
        from core.evaluation.scores import prepare_losses

        self._measuring()
        if self._scores_alone:
            return (None if name == "base" else self._scored(model, name)), []
        if name == "base":
            prepare_losses(model.get_base_model() if hasattr(model, "get_base_model") else model)
        recipe = self._recipe
        scores = self._scored(model, name)
        self._phase(f"Generating {len(self._prompts)} answers with the {name} model.")
        answers = generate(
            model,
            self._tokenizer,
            [prompt.ids for prompt in self._prompts],
            stops=stop_ids(model, self._tokenizer, self._template),
            max_new_tokens=recipe.evaluation.max_new_tokens,
            temperature=recipe.evaluation.temperature,
            batch_size=recipe.evaluation.batch_size,
            tick=self._ticker(f"Generating answers with the {name} model."),
        )
        self._done += len(self._prompts)
        return scores, answers

    def _scored(self, model: Any, name: str) -> Any:
        if self._rows is None:
            return None
        words = f"Measuring the {name} model on held-out samples."
        self._phase(words)
        tick = self._ticker(words)
        scores = self.scores.measure(model, self._rows, self._tokenizer, self._on, self._recipe, tick=tick)
        self._done += len(self._rows)
        if self.by_task is not None:
            self._phase(f"Measuring the {name} model on each task.")
            quiet = self._ticker(words)
            self.by_task.add(
                model,
                name,
                lambda model, rows: self.scores.measure(
                    model, rows, self._tokenizer, self._on, self._recipe, tick=lambda _: quiet(0)
                ),
            )
        return scores

    def _phase(self, message: str) -> None:
        self._worker.phase("evaluating", message, step=self._done, of=self._of)

    def _ticker(self, message: str) -> Callable[[int], None]:
        def tick(done: int) -> None:
            self._worker.progress(self._done + done, self._of, message)
            self._worker.stop_if_asked(_STOPPED)

        return tick


def _write(
    worker: Worker,
    began: float,
    tuned_folder: Path,
    measure: Measure,
    scores: dict[str, Any],
    answers: tuple[list[Generated], list[Generated]],
    prompts: list[Prompt],
    *,
    writes: bool,
) -> None:
    from core.evaluation.compare import findings

    base_answers, tuned_answers = answers
    lines = [
        files.encode(
            {
                "n": number,
                "key": prompt.key,
                "messages": prompt.messages,
                "reference": prompt.reference,
                "base": one.text,
                "tuned": other.text,
            }
        )
        for number, (prompt, one, other) in enumerate(zip(prompts, base_answers, tuned_answers, strict=True))
    ]
    differs = sum(one.text != other.text for one, other in zip(base_answers, tuned_answers, strict=True))
    weights = read_weights(tuned_folder)
    summary = {
        **scores,
        "measured": measure.words(scores),
        "writes": writes,
        "prompts": len(prompts),
        "differs": differs,
        "base_cut": sum(not answer.ended for answer in base_answers),
        "tuned_cut": sum(not answer.ended for answer in tuned_answers),
        "seconds": round(time.monotonic() - began, 1),
        "adapter": os.fspath(tuned_folder),
        "adapter_step": None if weights is None else weights.step,
    }
    results = {"answers.jsonl": b"".join(line + b"\n" for line in lines), "summary.json": files.encode(summary)}
    worker.reach("the comparison could not be written")
    worker.write_with_room(lambda: _write_results(worker, results), "the comparison could not be written")
    for sentence in (*measure.findings(scores), *findings(base_answers, tuned_answers)):
        worker.event("alert", sentence)
    found = [measured] if (measured := measure.words(scores)) else []
    if prompts or not found:
        found.append(f"{differs} of {len(prompts)} answers differ from the base model's")
    worker.event("comparison", f"{'; '.join(found)}.", **summary)


def _write_results(worker: Worker, results: Mapping[str, bytes]) -> None:
    """Writes files of the comparison."""
    folder = worker.folder.evaluation
    files.make_folder(os.fspath(folder))
    for name, data in results.items():
        files.replace(os.fspath(folder / name), data, durable=True)
