"""Samples while it trains: fixed prompts answered by the model in training, which does not notice.

Neither its random numbers nor its weights change, so the losses are the same with and without, to the last bit.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from core.clean import clean_line
from core.dataset.sample import Message
from core.engine.generate import Generated, generate, prompt_ids, stop_ids
from core.engine.prompts import Prompt, held_out_prompts
from core.engine.quantized import base_unchanged
from core.engine.samples import read_view
from core.engine.template import Template
from core.engine.worker import LOOK_EVERY, Worker
from core.errors import TunedeckError
from core.jobs import requests
from core.recipe.recipe import Recipe


class Sampling:
    """Answers the prompts of a run every so many steps.

    A failure here is told and ends the samples, never the run. Of several ranks the first alone answers, while the
    others wait for it at their next step.

    Args:
        worker: the job's folder.
        recipe: how often, and which prompts.
        tokenizer: of the model.
        template: the chat template.
        shared: whether no rank holds the whole model (FSDP): then nobody can answer.
    """

    def __init__(self, worker: Worker, recipe: Recipe, tokenizer: Any, template: Template, *, shared: bool) -> None:
        self._worker = worker
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._template = template
        self._quantized = recipe.model.quantization == "nf4"
        self._last: int | None = None
        first = worker.rank is None or worker.rank.number == 0
        self._prompts = self._read_prompts() if recipe.samples.every and first and not shared else []
        if recipe.samples.every and shared:
            worker.event("samples", "No samples while it trains: with FSDP no GPU holds the whole model.")

    def due(self, step: int, of: int) -> bool:
        """Whether the prompts are to be answered at a step of so many."""
        every = self._recipe.samples.every
        period = max(1, round(every * of)) if 0 < every < 1 else int(every)
        return bool(self._prompts) and step % period == 0

    def answer(self, model: Any, step: int, of: int) -> None:
        """Answers the prompts now, unless they were at this step.

        Args:
            model: the one that is trained.
            step: steps done.
            of: steps in all.
        """
        if not self._prompts or step == self._last:
            return
        self._last = step
        training, began = model.training, time.monotonic()
        try:
            with torch.random.fork_rng(_devices(model)), base_unchanged(model) if self._quantized else nullcontext():
                model.eval()
                answers = self._generate(model, step, of)
        except _Asked:
            return
        except TunedeckError:
            raise
        except Exception as error:  # whatever a model cannot do when it generates must not cost the night's training
            self._prompts = []
            words = clean_line(str(error).strip().partition("\n")[0], 200)
            self._worker.event("alert", f"No more samples: the prompts cannot be answered ({words}). The run goes on.")
            return
        finally:
            model.train(training)
        self._worker.samples({"step": step, "seconds": round(time.monotonic() - began, 2), "samples": answers})

    def _generate(self, model: Any, step: int, of: int) -> list[dict[str, Any]]:
        looked = time.monotonic()

        def tick(done: int) -> None:
            nonlocal looked
            self._worker.progress(step, of, "Answering the sample prompts.")
            if (now := time.monotonic()) - looked > LOOK_EVERY:
                looked = now
                if requests.pending(self._worker.folder):
                    raise _Asked

        found = generate(
            model,
            self._tokenizer,
            [prompt.ids for prompt in self._prompts],
            stops=stop_ids(model, self._tokenizer, self._template),
            max_new_tokens=self._recipe.samples.max_new_tokens,
            batch_size=self._recipe.training.eval_batch_size,
            tick=tick,
        )
        return [_line(prompt, answer) for prompt, answer in zip(self._prompts, found, strict=True)]

    def _read_prompts(self) -> list[Prompt]:
        samples, length = self._recipe.samples, self._recipe.data.max_length
        found: list[Prompt] = []
        for text in samples.prompts if self._template.text else ():
            turn = Message("user", text)
            ids = prompt_ids([turn], self._tokenizer, self._template)
            found.append(Prompt("", [turn.to_json()], "", ids[-length:]))
        held_out = Path(self._worker.folder.data / "eval.jsonl")
        if samples.number and held_out.exists():
            found += held_out_prompts(
                read_view(held_out), samples.number, self._tokenizer, self._template, max_length=length
            )
        return found


def _devices(model: Any) -> list[int]:
    """The GPU whose random numbers must not move."""
    return [model.device.index] if model.device.type == "cuda" else []


class _Asked(Exception):
    """A viewer wants something: that comes first."""


def _line(prompt: Prompt, answer: Generated) -> dict[str, Any]:
    return {
        "key": prompt.key,
        "messages": prompt.messages,
        "reference": prompt.reference,
        "answer": answer.text,
        "tokens": answer.tokens,
        "ended": answer.ended,
    }
