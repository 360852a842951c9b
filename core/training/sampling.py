"""Samples while it trains: fixed prompts answered by the model in training, which does not notice.

Neither its random numbers nor its weights change, so the losses are the same with and without, to the last bit.

Where the ranks share the model out (FSDP), no one of them could answer alone, nor could a large model be put together
on one GPU: all of them answer the same prompts in lock step, each giving its part of the weights at every token. What
rank 0 finds likeliest, and what viewers ask of it, counts for all, so that none continues where another has ended.
"""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from core.clean import clean_line
from core.dataset.sample import Message
from core.engine.generate import Generated, generate, prompt_ids, stop_ids
from core.engine.prompts import Prompt, held_out_prompts
from core.engine.quantized import base_unchanged, in_four_bits
from core.engine.samples import read_view
from core.engine.template import Template
from core.engine.torchrun import AGAIN
from core.engine.worker import Again, Worker
from core.errors import TunedeckError
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS

NOTE = "samples_failed"
"""A file in the run's folder: ranks that are started again answer no prompts."""


class Sampling:
    """Answers the prompts of a run every so many steps.

    A failure here is reported and ends the samples, never the run. Of several ranks that have the whole model each, the
    first alone answers, while the others wait for it at their next step.

    Args:
        worker: the job's folder.
        recipe: how often, and which prompts.
        tokenizer: of the model.
        template: the chat template.
        shared: whether no rank holds the whole model (FSDP): then all must call `answer` at the same points.
    """

    def __init__(self, worker: Worker, recipe: Recipe, tokenizer: Any, template: Template, *, shared: bool) -> None:
        self._worker = worker
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._template = template
        self._last: int | None = None
        self._shared = worker.rank if shared else None
        answers = shared or worker.rank is None or worker.rank.number == 0
        self._prompts = self._read_prompts() if self._wanted and answers and not self._given_up() else []

    @property
    def _wanted(self) -> bool:
        return self._recipe.samples.every > 0 and TASKS[self._recipe.task].writes

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
            with (
                torch.random.fork_rng(_devices(model)),
                base_unchanged(model) if in_four_bits(model) else nullcontext(),
            ):
                model.eval()
                with self._worker.during("generating"):
                    answers = self._generate(model, step, of)
        except _Asked:
            return
        except TunedeckError:
            raise
        except Exception as error:  # whatever a model cannot do when it generates must not cost the night's training
            if self._shared is not None and self._worker.others_fault():
                raise
            self._give_up(clean_line(str(error).strip().partition("\n")[0], 200) or type(error).__name__)
            return
        finally:
            model.train(training)
        self._worker.samples({"step": step, "seconds": round(time.monotonic() - began, 2), "samples": answers})

    def _give_up(self, reason: str) -> None:
        """Says that there are no more samples.

        Raises:
            Again: the others wait for this rank's part of the model, so all have to be started again, without samples.
        """
        self._prompts = []
        words = f"No more sample outputs ({reason}). Training continues."
        if self._shared is None:
            self._worker.event("alert", words)
            return
        try:
            (self._worker.folder.path / NOTE).touch(exist_ok=False)
        except FileExistsError:
            raise Again from None  # another rank has said so
        self._worker.speak_up()
        self._worker.event("alert", f"{words} The ranks are restarting without them.")
        raise Again

    def _given_up(self) -> bool:
        """Whether the ranks were started again because one of them could not answer."""
        note = self._worker.folder.path / NOTE
        if AGAIN in os.environ:
            return note.exists()
        if self._shared is None or self._shared.number == 0:
            note.unlink(missing_ok=True)
        return False

    def _generate(self, model: Any, step: int, of: int) -> list[dict[str, Any]]:
        asked = self._worker.asked if self._shared is not None else self._worker.asked_here

        def tick(done: int) -> None:
            self._worker.progress(step, of, f"Generating sample outputs: {done} of {len(self._prompts)}.")
            if asked():
                raise _Asked

        found = generate(
            model,
            self._tokenizer,
            [prompt.ids for prompt in self._prompts],
            stops=stop_ids(model, self._tokenizer, self._template),
            max_new_tokens=self._recipe.samples.max_new_tokens,
            batch_size=self._recipe.training.eval_batch_size,
            tick=tick,
            agree=None if self._shared is None else self._shared.share,
        )
        return [_line(prompt, answer) for prompt, answer in zip(self._prompts, found, strict=True)]

    def _read_prompts(self) -> list[Prompt]:
        samples, length = self._recipe.samples, self._recipe.data.max_length
        found: list[Prompt] = []
        for text in samples.prompts if self._template.text or self._template.plain else ():
            turn = Message("user", text)
            ids = prompt_ids([turn], self._tokenizer, self._template)
            found.append(Prompt("", [turn.to_json()], "", ids[-length:]))
        held_out = Path(self._worker.folder.data / "eval.jsonl")
        if samples.number and held_out.exists():
            found += held_out_prompts(
                read_view(held_out),
                samples.number,
                self._tokenizer,
                self._template,
                max_length=length,
                train_without=self._recipe.data.train_without,
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
