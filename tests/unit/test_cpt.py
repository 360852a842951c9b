"""Continued pretraining: its defaults, what it refuses, and the groups of its optimizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.dataset.sample import Message, Sample
from core.engine.encode import encode
from core.engine.encoded import EncodingSettings
from core.engine.load import load_tokenizer
from core.engine.template import use_template
from core.errors import BadInput
from core.recipe.command_line import apply_settings
from core.recipe.recipe import KNOBS, Model, Recipe, default_of, from_json, is_shown, put, to_json, why_without_effect
from core.recipe.rules.validate import validate
from core.training.embeddings import embedding_weights, split_groups
from tests.kit.training_runs import BASE

RATE = "cpt.embedding_learning_rate"


def test_a_task_has_defaults_of_its_own_and_what_was_set_stays() -> None:
    fresh = put(Recipe(), "task", "cpt")
    assert (fresh.training.learning_rate, fresh.data.packing, fresh.data.chunk_text) == (5e-5, "bfd_split", True)
    assert put(fresh, "task", "sft") == Recipe()
    chosen = put(put(Recipe(), "training.learning_rate", 3e-5), "task", "cpt")
    assert chosen.training.learning_rate == 3e-5
    assert from_json({"task": "cpt", "data": {"packing": "none"}}).data.packing == "none"
    assert from_json({"task": "cpt"}) == fresh
    assert from_json(to_json(put(fresh, "data.packing", "none"))).data.packing == "none"
    said = apply_settings(Recipe(), ["data.packing=none", "task=cpt"], Path("/"))
    assert said.data.packing == "none", "in any order"
    assert default_of(fresh, "data.packing") == "bfd_split" != KNOBS["data.packing"].default
    assert not [problem for problem in validate(fresh) if problem.path in ("data.packing", "data.chunk_text")]


def test_the_rate_of_the_embeddings_is_there_where_they_are_trained() -> None:
    cpt = put(Recipe(), "task", "cpt")
    assert not is_shown(cpt, RATE)
    assert "modules_to_save" in why_without_effect(cpt, RATE)
    assert is_shown(put(cpt, "method", "full"), RATE)
    assert is_shown(put(cpt, "lora.modules_to_save", ("embed_tokens",)), RATE)
    assert not is_shown(put(Recipe(), "lora.modules_to_save", ("embed_tokens",)), RATE), "of this task alone"
    sharded = put(put(cpt, "training.devices", "cpux2"), "training.parallel", "fsdp")
    assert any(problem.path == "training.parallel" and "ddp" in problem.sentence for problem in validate(sharded))


@pytest.mark.parametrize("kind", ["messages", "preference", "kto"])
def test_what_is_no_text_is_refused_with_its_kind(kind: str) -> None:
    tokenizer = load_tokenizer(Model(path=str(BASE)))
    settings = EncodingSettings(use_template(tokenizer, ""), 64, task="cpt")
    turns = (Message("user", "q"), Message("assistant", "a"))
    sample = Sample(kind, turns[:1], chosen=turns[1:], rejected=turns[1:], label=True)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="plain text") as refused:
        encode(sample if kind != "messages" else Sample("messages", turns), tokenizer, settings)
    assert "sft" in refused.value.do
    (text,) = encode(Sample("text", text="one two three"), tokenizer, settings).sequences
    assert text.labels == text.input_ids


def test_groups_of_the_embeddings_are_like_those_that_they_come_from_but_for_the_rate() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.body, self.head = torch.nn.Embedding(8, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 8)
            self.head.weight = self.embed.weight

        def get_input_embeddings(self) -> torch.nn.Module:
            return self.embed

        def get_output_embeddings(self) -> torch.nn.Module:
            return self.head

    model = Tied()
    model.head.bias.requires_grad = False
    optimizer = torch.optim.AdamW(
        [
            {"params": [model.embed.weight, model.body.weight], "weight_decay": 0.1},
            {"params": [model.body.bias], "weight_decay": 0.0},
        ],
        lr=1e-3,
    )
    weights = set(embedding_weights(model))
    assert weights == {model.embed.weight}, "once, though it is tied; what is frozen has no group"
    split_groups(optimizer, weights, 1e-5)
    groups = [(len(group["params"]), group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert groups == [(1, 1e-3, 0.1), (1, 1e-3, 0.0), (1, 1e-5, 0.1)]
