"""The service that shows what trains: `python -m core.training.preview`, JSON lines on stdin and stdout.

`{"id": 1, "ask": "encode", "recipe": {...}, "sample": {...}}` gets the rendered text in pieces, each with whether it
is trained, from the very function and collator of the training. Needs the tokenizer alone, no weights and no GPU.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.dataset.sample import Sample
from core.errors import BadInput
from core.recipe.recipe import Recipe, from_json
from core.recipe.tasks import TASKS

if TYPE_CHECKING:
    from core.engine.pieces import SamplePart

_KEPT = 4
"""Tokenizers that stay in memory."""


class Preview:
    """Answers questions about samples; a tokenizer is loaded once for each model and template."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[object, ...], tuple[Any, Any]] = {}

    def encode(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Tokens and mask of one sample.

        Args:
            question: `recipe` (its task, model and data sections count) and `sample` in the normal form.

        Returns:
            `parts`, each with `name` (`prompt`, `chosen`, `rejected`, `chunk 2 of 5`, or "" for a whole sample), for an
            answer `heading`: what training does to it,
            `pieces`: text and trained flag of each, and where the cut takes something, `kept` tokens, `lost`,
            `lost_trained`, `lost_text` and `lost_first`, whether it was at the beginning; of all sequences together
            `tokens` after the cut, `total` before it, `trained`, `lost` and `lost_trained`; `can_chunk`: whether
            `data.chunk_text` would keep what is lost;
            `not_rendered` and `context_lost`: what the row holds and the rendered text does not, in words, from what
            is trained and from context; `control_tokens`: special tokens in its text;
            `template`: where it is from; `stop_trained`: whether the end of an answer is learned.

        Raises:
            BadInput: model, template or sample cannot be used.
        """
        from core.dataset.rendered import loss_words
        from core.engine.encode import encode, stop_trained
        from core.engine.encoded import EncodingSettings
        from core.engine.pieces import parts_of

        recipe = from_json(_part(question, "recipe"))
        try:
            sample = Sample.from_json(_part(question, "sample"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"The question's sample is not in the normal form ({error})") from error
        tokenizer, template = self._tokenizer(recipe)
        settings = EncodingSettings.of(recipe, template)
        encoded = encode(sample, tokenizer, settings, with_text=True)
        return {
            "parts": [_part_json(part, recipe.task) for part in parts_of(encoded, tokenizer, settings)],
            "tokens": encoded.tokens,
            "total": encoded.tokens + encoded.lost_tokens,
            "trained": encoded.trained_tokens,
            "lost": encoded.lost_tokens,
            "lost_trained": encoded.lost_trained,
            "generated": encoded.generated,
            "can_chunk": sample.kind == "text" and encoded.lost_tokens > 0,
            "not_rendered": loss_words(encoded.not_rendered),
            "context_lost": loss_words(encoded.context_lost),
            "control_tokens": list(encoded.control_tokens),
            "template": template.origin,
            "stop_trained": stop_trained(settings),
        }

    def _tokenizer(self, recipe: Recipe) -> tuple[Any, Any]:
        from core.engine.load import load_tokenizer
        from core.engine.template import use_template

        model = recipe.model
        key = (model.path, model.revision, model.trust_remote_code, model.chat_template)
        if key not in self._loaded:
            tokenizer = load_tokenizer(model)
            if len(self._loaded) >= _KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[key] = (tokenizer, use_template(tokenizer, model.chat_template))
        return self._loaded[key]


def _part_json(part: SamplePart, task: str) -> dict[str, Any]:
    from core.engine.pieces import lost_text

    found: dict[str, Any] = {"name": part.name, "pieces": [[piece.text, piece.trained] for piece in part.pieces]}
    if effect := TASKS[task].answers.get(part.name):
        found["heading"] = f"{part.name}: {effect}"
    if part.sequence is not None and part.sequence.lost_tokens:
        found |= {
            "kept": len(part.sequence.input_ids),
            "lost": part.sequence.lost_tokens,
            "lost_trained": part.sequence.lost_trained,
            "lost_text": lost_text(part.sequence),
            "lost_first": part.sequence.first_kept > 0,
        }
    return found


def _part(question: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = question.get(name)
    if not isinstance(part, dict):
        raise BadInput(f"The question has no {name}")
    return part


def main(argv: Sequence[str] = ()) -> int:
    """Serves until stdin ends; says that it is ready when the libraries are loaded."""
    from core.jobs.serve import serve

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    with contextlib.redirect_stdout(sys.stderr):  # stdout belongs to the answers
        import torch
        import transformers
        import trl.trainer.sft_trainer  # noqa: F401

        transformers.logging.disable_progress_bar()
        torch.set_num_threads(1)
    return serve({"encode": Preview().encode})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
