"""Preference pairs become the tokens that `trl.DPOTrainer` makes of them, however the file spells them."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from core.dataset.formats import recognize, to_sample
from core.dataset.sample import Message, Sample
from core.engine.encode import encode, masks
from core.engine.encoded import Encoded, EncodingSettings
from core.engine.load import load_tokenizer
from core.engine.pieces import lost_text, parts_of
from core.engine.samples import ViewRow, encode_view
from core.engine.template import use_template
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.dpo_losses import installed_losses
from core.recipe.recipe import KNOBS, Model

BASE = Model(path=str(SAMPLE_DATA / "tiny_base"))
END = "<|im_end|>"

QUESTION, GOOD, BAD = "Where is the ship?", "In the bay, friend 😀", "No idea."
_TURNS = (
    {"role": "user", "content": QUESTION},
    {"role": "assistant", "content": GOOD},
    {"role": "assistant", "content": BAD},
)
SPELLINGS: dict[str, dict[str, Any]] = {
    "texts": {"prompt": QUESTION, "chosen": GOOD, "rejected": BAD},
    "turns": {"prompt": [_TURNS[0]], "chosen": [_TURNS[1]], "rejected": [_TURNS[2]]},
    "whole conversations": {"chosen": [_TURNS[0], _TURNS[1]], "rejected": [_TURNS[0], _TURNS[2]]},
    "sharegpt": {
        "conversations": [{"from": "human", "value": QUESTION}],
        "chosen": {"from": "gpt", "value": GOOD},
        "rejected": {"from": "gpt", "value": BAD},
    },
    "transcripts": {
        "chosen": f"\n\nHuman: {QUESTION}\n\nAssistant: {GOOD}",
        "rejected": f"\n\nHuman: {QUESTION}\n\nAssistant: {BAD}",
    },
    "other names": {"question": QUESTION, "response_chosen": GOOD, "response_rejected": BAD, "system": "Be brief."},
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(BASE)


@pytest.fixture(scope="module")
def settings(tokenizer: Any) -> EncodingSettings:
    return EncodingSettings(use_template(tokenizer, ""), 512, task="dpo")


def _sample(row: dict[str, Any]) -> Sample:
    found = recognize([row])
    assert found.kind == "preference", found.why
    return to_sample(row, found)


def _turns(turns: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _trainer(samples: list[Sample], folder: Path, max_length: int) -> Any:
    """TRL's own trainer on the raw pairs, as its documentation shows them."""
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    tokenizer = load_tokenizer(BASE)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    model = LlamaForCausalLM(config)
    return DPOTrainer(
        model=model,
        ref_model=LlamaForCausalLM(config),
        args=DPOConfig(str(folder), use_cpu=True, bf16=False, max_length=max_length, report_to="none"),
        train_dataset=Dataset.from_list(
            [
                {"prompt": _turns(each.messages), "chosen": _turns(each.chosen), "rejected": _turns(each.rejected)}
                for each in samples
            ]
        ),
        processing_class=tokenizer,
    )


@pytest.mark.parametrize("max_length", [512, 24])
def test_tokens_and_masks_are_those_that_trl_makes_of_the_same_pairs(
    tokenizer: Any, settings: EncodingSettings, tmp_path: Path, max_length: int
) -> None:
    samples = [_sample(row) for row in SPELLINGS.values()]
    samples.append(_sample({"prompt": "And where? " * 30, "chosen": GOOD, "rejected": BAD}))
    trainer = _trainer(samples, tmp_path, max_length)
    cut = replace(settings, max_length=max_length)
    ours, facts = encode_view([ViewRow(str(n), n, each) for n, each in enumerate(samples)], tokenizer, cut)
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    theirs = [{name: row[name] for name in names} for row in trainer.train_dataset]
    assert list(ours) == theirs
    dropped = 0 if max_length == 512 else 2
    assert facts.without_loss == list(range(len(samples) - dropped, len(samples)))
    kept = [encode(each, tokenizer, cut) for each in samples[: len(theirs)]]
    for encoded, row in zip(kept, theirs, strict=True):
        batch = trainer.data_collator([row])
        long = batch["input_ids"].shape[1]
        for number, (mask, sequence) in enumerate(zip(masks(encoded, tokenizer, cut), encoded.sequences, strict=True)):
            padding = [False] * (long - len(mask))
            assert [*mask, *padding] == batch["completion_mask"][number].bool().tolist()
            assert sequence.input_ids == batch["input_ids"][number, : len(mask)].tolist()
        assert encoded.tokens == int(batch["attention_mask"].sum())
        assert encoded.parts == {name.removesuffix("_ids"): len(row[name]) for name in names}
    assert facts.tokens == sum(encoded.tokens for encoded in kept)
    assert facts.cut == sum(encoded.lost_tokens > 0 for encoded in kept) + dropped


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_screen_shows_the_prompt_once_and_both_answers_with_their_end(
    tokenizer: Any, settings: EncodingSettings, spelling: str
) -> None:
    encoded = encode(_sample(SPELLINGS[spelling]), tokenizer, settings, with_text=True)
    prompt, chosen, rejected = parts_of(encoded, tokenizer, settings)
    assert [part.name for part in (prompt, chosen, rejected)] == ["prompt", "chosen", "rejected"]
    assert _text(prompt).count(QUESTION) == 1
    assert not any(piece.trained for piece in prompt.pieces)
    assert _text(chosen).rstrip() == f"{GOOD}{END}"
    assert _text(rejected).rstrip() == f"{BAD}{END}"
    assert all(piece.trained for part in (chosen, rejected) for piece in part.pieces)
    assert sum(piece.tokens for piece in prompt.pieces) == encoded.parts["prompt"]


def test_a_cut_takes_the_end_of_each_answer_and_is_counted_in_both(tokenizer: Any, settings: EncodingSettings) -> None:
    sample = _sample(SPELLINGS["texts"])
    whole = encode(sample, tokenizer, settings)
    length = whole.parts["prompt"] + 2
    cut = encode(sample, tokenizer, replace(settings, max_length=length), with_text=True)
    assert [len(sequence.input_ids) for sequence in cut.sequences] == [length, length]
    assert cut.trained_tokens == 4
    assert cut.lost_tokens == whole.tokens - 2 * length
    assert cut.longest == max(sequence.total for sequence in whole.sequences)
    assert cut.rows == whole.rows, "the collator cuts"
    assert lost_text(cut.sequences[0]).rstrip().endswith(END)


def test_what_is_no_pair_is_refused_in_a_sentence(tokenizer: Any, settings: EncodingSettings) -> None:
    talk = Sample("messages", (Message("user", "Hi"), Message("assistant", "Ho")))
    with pytest.raises(BadInput, match="not a preference pair"):
        encode(talk, tokenizer, settings)
    pair = _sample(SPELLINGS["texts"])
    muted = replace(pair, chosen=(replace(pair.chosen[0], trained=False),))
    with pytest.raises(BadInput, match="marked as not trained"):
        encode(muted, tokenizer, settings)


def test_every_loss_of_the_form_is_one_that_the_installed_trl_computes(
    tokenizer: Any, settings: EncodingSettings, tmp_path: Path
) -> None:
    from trl import DPOConfig

    (declared,) = (field for field in fields(DPOConfig) if field.name == "loss_type")
    known = {word.strip("`'., ") for word in declared.metadata["help"].split() if word.startswith("`'")}
    choices = KNOBS["dpo.loss_type"].columns[0].choices
    assert known == set(choices) == installed_losses(), "the installed TRL has other losses: see core.recipe.dpo_losses"
    samples = [_sample(row) for row in SPELLINGS.values()]
    trainer = _trainer(samples, tmp_path, 512)
    batch = trainer.data_collator(list(trainer.train_dataset))
    trainer.label_smoothing = 0.1
    for name in choices:
        trainer.loss_types = [name]
        assert math.isfinite(float(trainer.compute_loss(trainer.model, batch).detach())), name


def test_real_pairs_are_read_and_encoded(public_data: Path, tokenizer: Any, settings: EncodingSettings) -> None:
    rows = json.loads((public_data / "dpo_en_demo.json").read_text())
    found: list[Encoded] = [encode(_sample(row), tokenizer, settings) for row in rows[:40]]
    assert all(encoded.parts["chosen"] > 1 and encoded.parts["rejected"] > 1 for encoded in found)


def _text(part: Any) -> str:
    return "".join(piece.text for piece in part.pieces)
