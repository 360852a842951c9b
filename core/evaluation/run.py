"""One comparison in a run's folder: the base model is measured and prompted, then the tuned one, then both written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.process import prepare, set_threads
from core.engine.work import run
from core.engine.worker import Worker
from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe
from core.runs.saved import read_weights

if TYPE_CHECKING:
    from core.engine.generate import Generated
    from core.engine.load import Hardware
    from core.engine.prompts import Prompt
    from core.engine.template import Template
    from core.evaluation.measures import Measure


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
    worker.phase("loading", "Loading libraries.")
    worker.nothing_to_save = "Nothing to save: training is finished and saved, and a comparison has no checkpoints."
    prepare(recipe, alone=True)
    tuned_folder = _tuned_folder(worker, recipe)

    from core.engine.load import hardware, load_base, load_tokenizer
    from core.engine.template import use_template

    set_threads(recipe)
    on = hardware(recipe.model, recipe.training.devices, all_weights=adapter_of(recipe).whole)
    tokenizer = load_tokenizer(recipe.model)
    template = use_template(tokenizer, recipe.model.chat_template)
    rows, prompts = _held_out(worker, recipe, tokenizer, template)
    worker.stop_if_asked(_STOPPED)
    words = f"Loading the base model on {on.name}"
    worker.phase("loading", f"{words}.")
    model = load_base(recipe.model, on, on_progress=_loaded(worker, words))
    both = _Both(worker, recipe, tokenizer, template, on, rows, prompts)
    base_scores, base = both.measure(model, "base")
    worker.stop_if_asked(_STOPPED)
    worker.reach("the adapter could not be read")
    tuned_model = _attach(worker, recipe, model, tuned_folder, on)
    tuned_scores, tuned = both.measure(tuned_model, "tuned")
    scores = both.scores.summary(base_scores, tuned_scores, recipe)
    _write(worker, began, tuned_folder, both.scores, scores, (base, tuned), prompts)


_STOPPED = "Stopped on request while comparing the base and tuned models."


def _tuned_folder(worker: Worker, recipe: Recipe) -> Path:
    adapter = adapter_of(recipe)
    folder = worker.folder.path / adapter.folder
    if not (folder / adapter.weights).exists():
        raise BadInput("No trained model to compare", where=str(folder), do="Train first")
    return folder


def _held_out(worker: Worker, recipe: Recipe, tokenizer: Any, template: Template) -> tuple[Any, list[Prompt]]:
    from core.engine.encode_all import caches_of, encode_all
    from core.engine.encoded import EncodingSettings
    from core.engine.prompts import held_out_prompts
    from core.engine.samples import read_view

    path = worker.folder.data / "eval.jsonl"
    if not path.exists() or path.stat().st_size == 0:
        worker.event("alert", "The base and tuned models cannot be compared: no samples are held out.")
        return None, []
    worker.phase("encoding", "Tokenizing the held-out samples.")
    settings = replace(EncodingSettings.of(recipe, template), packing="none")  # each sample is measured by itself
    caches = caches_of(worker.folder.path)
    rows, _ = encode_all(path, tokenizer, settings, caches=caches, seen=lambda _: worker.stop_if_asked(_STOPPED))
    prompts = held_out_prompts(
        read_view(path), recipe.evaluation.prompts, tokenizer, template, max_length=recipe.data.max_length
    )
    return (rows if len(rows) else None), prompts


def _attach(worker: Worker, recipe: Recipe, model: Any, folder: Path, on: Hardware) -> Any:
    """The tuned model from disk, as anybody would load it; every weight must be finite."""
    import torch

    from core.engine.load import load_base
    from core.evaluation.scores import prepare_losses

    words = f"Loading the tuned model from {folder.name}/"
    worker.phase("loading", f"{words}.")
    if adapter_of(recipe).whole:
        tuned = load_base(recipe.model, on, path=str(folder), on_progress=_loaded(worker, words))
        prepare_losses(tuned)
        fresh = list(tuned.named_parameters())
    else:
        from peft import PeftModel

        frozen = {id(weight) for weight in model.parameters()}
        tuned = PeftModel.from_pretrained(model, str(folder))
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
    ) -> None:
        from core.evaluation.measures import measure_of

        self.scores = measure_of(recipe)
        self._worker = worker
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._template = template
        self._on = on
        self._rows = rows
        self._prompts = prompts
        self._of = 2 * ((len(rows) if rows is not None else 0) + len(prompts))
        self._done = 0

    def measure(self, model: Any, name: str) -> tuple[Any, list[Generated]]:
        """What is measured of one model, None without held-out samples, and its answers; `name`: `base`, `tuned`."""
        from core.engine.generate import generate, stop_ids
        from core.evaluation.scores import prepare_losses

        if name == "base":
            prepare_losses(model)
        recipe = self._recipe
        scores = None
        if self._rows is not None:
            words = f"Measuring the {name} model on held-out samples."
            self._phase(words)
            tick = self._ticker(words)
            scores = self.scores.measure(model, self._rows, self._tokenizer, self._on, recipe, tick=tick)
            self._done += len(self._rows)
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
        "prompts": len(prompts),
        "differs": differs,
        "base_cut": sum(not answer.ended for answer in base_answers),
        "tuned_cut": sum(not answer.ended for answer in tuned_answers),
        "seconds": round(time.monotonic() - began, 1),
        "adapter": os.fspath(tuned_folder),
        "adapter_step": None if weights is None else weights.step,
    }
    folder = worker.folder.evaluation
    worker.reach("the comparison could not be written")
    folder.mkdir(exist_ok=True)
    files.replace(str(folder / "answers.jsonl"), b"".join(line + b"\n" for line in lines), durable=True)
    files.replace(str(folder / "summary.json"), files.encode(summary), durable=True)
    for sentence in (*measure.findings(scores), *findings(base_answers, tuned_answers)):
        worker.event("alert", sentence)
    words = f"{differs} of {len(prompts)} answers differ from the base model's"
    if measured := measure.words(scores):
        words = f"{measured}; {words}"
    worker.event("comparison", f"{words}.", **summary)
