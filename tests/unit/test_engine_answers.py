"""Rated answers and pairs become the tokens that TRL's KTO, ORPO, CPO and reward trainers make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.dataset.sample import Message, Sample
from core.engine.encode import encode, masks
from core.engine.encoded import EncodingSettings
from core.engine.load import load_tokenizer
from core.engine.pieces import parts_of
from core.engine.plain_tokenizer import PlainTokenizer
from core.engine.samples import ViewRow, encode_view
from core.engine.template import use_template
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Model

BASE = Model(path=str(SAMPLE_DATA / "tiny_base"))
JOINED = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
"""A template that puts nothing between turns: the last token of a prompt may be another one before its answer."""


def _pair(question: str, good: str, bad: str, *before: Message) -> Sample:
    return Sample(
        "preference",
        (*before, Message("user", question)),
        chosen=(Message("assistant", good),),
        rejected=(Message("assistant", bad),),
    )


PAIRS = [
    _pair("Where is the ship?", "In the bay, friend 😀", "No idea."),
    _pair("And the other", "s? In the bay.", "s? Gone.", Message("system", "Be brief.")),
    _pair("日本の船は?", "湾内です。", "さあ。"),
    _pair("Where? " * 30, "Here.", "There."),
    _pair("Where is it?", "Here. " * 40, "There."),
]
MORE = Sample(
    "preference",
    (Message("user", "Go on."), Message("assistant", "The ship")),
    chosen=(Message("assistant", " sails"),),
    rejected=(Message("assistant", " sinks"),),
)
RATED = [
    Sample("kto", pair.messages, chosen=pair.chosen if number % 2 else pair.rejected, label=bool(number % 2))
    for number, pair in enumerate(PAIRS)
]


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(_config(LlamaConfig))


def _config(kind: Any, **more: Any) -> Any:
    return kind(vocab_size=4096, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, **more)


def _tokenizer(template: str = "", bos: str = "") -> Any:
    tokenizer = load_tokenizer(BASE)
    if template:
        tokenizer.chat_template = template
    if bos:
        tokenizer.bos_token = bos
    return tokenizer


def _turns(turns: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def _rows(samples: list[Sample]) -> Any:
    from datasets import Dataset

    found = []
    for each in samples:
        row: dict[str, Any] = {"prompt": _turns(each.messages)}
        if each.kind == "preference":
            row |= {"chosen": _turns(each.chosen), "rejected": _turns(each.rejected)}
        else:
            row |= {"completion": _turns(each.chosen), "label": each.label}
        found.append(row)
    return Dataset.from_list(found)


def _arguments(folder: Path, max_length: int) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "max_length": max_length,
        "report_to": "none",
        "per_device_train_batch_size": 2,
    }


def _kto(model: Any, tokenizer: Any, samples: list[Sample], arguments: dict[str, Any]) -> Any:
    from trl import KTOConfig, KTOTrainer

    return KTOTrainer(
        model=model,
        ref_model=type(model)(model.config),
        args=KTOConfig(**arguments),
        train_dataset=_rows(samples),
        processing_class=tokenizer,
    )


def _orpo(model: Any, tokenizer: Any, samples: list[Sample], arguments: dict[str, Any]) -> Any:
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    return ORPOTrainer(
        model=model, args=ORPOConfig(**arguments), train_dataset=_rows(samples), processing_class=tokenizer
    )


def _cpo(model: Any, tokenizer: Any, samples: list[Sample], arguments: dict[str, Any]) -> Any:
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    return CPOTrainer(
        model=model, args=CPOConfig(**arguments), train_dataset=_rows(samples), processing_class=tokenizer
    )


def _reward(model: Any, tokenizer: Any, samples: list[Sample], arguments: dict[str, Any]) -> Any:
    from transformers import LlamaConfig, LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    return RewardTrainer(
        model=LlamaForSequenceClassification(_config(LlamaConfig, num_labels=1)),
        args=RewardConfig(**arguments),
        train_dataset=_rows(samples),
        processing_class=tokenizer,
    )


def _encoded(samples: list[Sample], tokenizer: Any, task: str, max_length: int) -> tuple[list[Any], Any, Any]:
    settings = EncodingSettings(use_template(tokenizer, ""), max_length, task=task)
    rows, facts = encode_view([ViewRow(str(n), n, each) for n, each in enumerate(samples)], tokenizer, settings)
    return list(rows), facts, settings


@pytest.mark.parametrize("max_length", [512, 40])
def test_rated_answers_are_those_of_trl_and_the_mask_is_its_collators(
    model: Any, tmp_path: Path, max_length: int
) -> None:
    tokenizer = _tokenizer()
    trainer = _kto(model, tokenizer, RATED, _arguments(tmp_path, max_length))
    ours, facts, settings = _encoded(RATED, tokenizer, "kto", max_length)
    names = ("prompt_ids", "completion_ids", "label")
    assert ours == [{name: row[name] for name in names} for row in trainer.train_dataset]
    assert len(ours) == (5 if max_length == 512 else 4), "the prompt of one fills 40 tokens"
    assert facts.without_loss == ([] if max_length == 512 else [3])
    for sample, row in zip([each for n, each in enumerate(RATED) if n not in facts.without_loss], ours, strict=True):
        encoded = encode(sample, tokenizer, settings)
        batch = trainer.data_collator([row])
        assert masks(encoded, tokenizer, settings) == batch["completion_mask"].bool().tolist()
        assert [each.input_ids for each in encoded.sequences] == batch["input_ids"].tolist()


def test_a_pair_is_two_rated_answers(model: Any, tmp_path: Path) -> None:
    """TRL lists the chosen answers of a thousand pairs before their rejected ones; the tokens are the same."""
    tokenizer = _tokenizer()
    trainer = _kto(model, tokenizer, PAIRS[:3], _arguments(tmp_path, 512))
    ours, facts, _ = _encoded(PAIRS[:3], tokenizer, "kto", 512)
    theirs = [(row["label"], row["prompt_ids"], row["completion_ids"]) for row in trainer.train_dataset]
    assert sorted((row["label"], row["prompt_ids"], row["completion_ids"]) for row in ours) == sorted(theirs)
    assert [row["label"] for row in ours] == [True, False] * 3
    assert (facts.kept, facts.sequences) == (3, 6)


def test_each_answer_is_paired_with_the_prompt_after_it_in_its_batch(model: Any, tmp_path: Path) -> None:
    from core.training.tasks.rated import MismatchedAnswers

    samples = [*RATED[:3], *RATED[1:3]]
    trainer = _kto(model, _tokenizer(), samples, {**_arguments(tmp_path, 512), "per_device_train_batch_size": 3})
    rows = trainer.train_dataset.remove_columns("KL_completion_ids")
    mixed = MismatchedAnswers(rows, 3)
    theirs = trainer.train_dataset["KL_completion_ids"][:]
    assert [mixed[place]["KL_completion_ids"] for place in range(len(mixed))] == theirs
    assert [row["KL_completion_ids"] for row in mixed.__getitems__([4, 0, 2])] == [theirs[4], theirs[0], theirs[2]]


@pytest.mark.parametrize("make", [_orpo, _cpo])
@pytest.mark.parametrize(("template", "bos"), [("", ""), ("", "<|endoftext|>"), (JOINED, ""), (JOINED, "<|im_start|>")])
def test_pairs_as_text_are_those_of_trl_with_its_first_and_last_tokens(
    model: Any, tmp_path: Path, make: Callable[..., Any], template: str, bos: str
) -> None:
    tokenizer = _tokenizer(template, bos)
    samples = [*PAIRS[:3], PAIRS[4], MORE]
    trainer = make(model, tokenizer, samples, _arguments(tmp_path, 64))
    ours, _, settings = _encoded(samples, tokenizer, "orpo", 64)
    names = ("chosen_input_ids", "chosen_labels", "rejected_input_ids", "rejected_labels")
    assert ours == [{name: row[name] for name in names} for row in trainer.train_dataset]
    batch = trainer.data_collator([dict(row) for row in trainer.train_dataset])
    from core.engine.answer_pairs import collate

    for name, values in collate(ours, tokenizer.pad_token_id).items():
        assert (values == batch[name]).all(), name
    for sample, row in zip(samples, ours, strict=True):
        found = masks(encode(sample, tokenizer, settings), tokenizer, settings)
        assert found == [[label != -100 for label in row[name]] for name in names[1::2]]
    plain = PlainTokenizer.of(tokenizer)
    assert list(encode_view([ViewRow("", 0, each) for each in samples], plain, settings)[0]) == ours


def test_a_pair_without_room_for_an_answer_is_left_out_and_never_becomes_nan() -> None:
    ours, facts, _ = _encoded(PAIRS, _tokenizer(), "cpo", 40)
    assert (len(ours), facts.without_loss, facts.cut_away) == (4, [3], 1)


def test_a_prompt_that_trl_refuses_is_refused_by_what_is_wrong() -> None:
    tokenizer = _tokenizer()
    settings = EncodingSettings(use_template(tokenizer, ""), 64, task="orpo")
    ends = replace(PAIRS[0], messages=(Message("system", "Be brief."),))
    with pytest.raises(BadInput, match="ends with a system turn"):
        encode(ends, tokenizer, settings)
    with pytest.raises(BadInput, match="no prompt"):
        encode(replace(PAIRS[0], messages=()), tokenizer, settings)
    with pytest.raises(BadInput, match="not a preference pair"):
        encode(RATED[0], tokenizer, settings)
    with pytest.raises(BadInput, match="no rating"):
        encode(Sample("messages", PAIRS[0].messages), tokenizer, replace(settings, task="kto"))
    muted = replace(PAIRS[0], chosen=(PAIRS[0].chosen[0].muted(),))
    for task in ("kto", "orpo", "cpo", "reward"):
        with pytest.raises(BadInput, match="marked as not trained"):
            encode(muted, tokenizer, replace(settings, task=task))


@pytest.mark.parametrize("max_length", [512, 40])
def test_a_reward_model_reads_what_trls_reads_and_drops_what_it_drops(
    model: Any, tmp_path: Path, max_length: int
) -> None:
    tokenizer = _tokenizer()
    trainer = _reward(model, tokenizer, PAIRS, _arguments(tmp_path, max_length))
    ours, facts, settings = _encoded(PAIRS, tokenizer, "reward", max_length)
    names = ("chosen_ids", "rejected_ids")
    assert ours == [{name: row[name] for name in names} for row in trainer.train_dataset]
    assert facts.without_loss == ([] if max_length == 512 else [2, 3, 4])
    encoded = encode(PAIRS[0], tokenizer, settings, with_text=True)
    assert masks(encoded, tokenizer, settings) == [[True] * len(each.input_ids) for each in encoded.sequences]
    parts = parts_of(encoded, tokenizer, settings)
    assert [part.name for part in parts] == ["chosen", "rejected"]
    shown = "".join(piece.text for piece in parts[0].pieces)
    assert "Where is the ship?" in shown
    assert "In the bay, friend 😀" in shown


@pytest.mark.parametrize(
    ("task", "sample", "names"),
    [
        ("kto", RATED[1], ["prompt", "good"]),
        ("kto", RATED[2], ["prompt", "bad"]),
        ("kto", PAIRS[0], ["prompt", "chosen", "rejected"]),
        ("orpo", PAIRS[0], ["prompt", "chosen", "rejected"]),
    ],
)
def test_the_mask_view_shows_every_token_of_a_sequence_once(task: str, sample: Sample, names: list[str]) -> None:
    tokenizer = _tokenizer(bos="<|endoftext|>")
    settings = EncodingSettings(use_template(tokenizer, ""), 512, task=task)
    encoded = encode(sample, tokenizer, settings, with_text=True)
    parts = parts_of(encoded, tokenizer, settings)
    assert [part.name for part in parts] == names
    prompt, *answers = parts
    assert not any(piece.trained for piece in prompt.pieces)
    for answer, sequence in zip(answers, encoded.sequences, strict=True):
        assert all(piece.trained for piece in answer.pieces)
        shown = [*prompt.pieces, *answer.pieces]
        assert sum(piece.tokens for piece in shown) == len(sequence.input_ids)
        if task == "orpo":
            assert [shown[0].text, shown[-1].text] == ["<|endoftext|>", tokenizer.eos_token]


def test_the_form_offers_the_loss_types_of_the_installed_trl() -> None:
    from dataclasses import fields

    from trl import KTOConfig
    from trl.experimental.cpo import CPOConfig

    from core.recipe.recipe import KNOBS

    for config, path in ((KTOConfig, "kto.loss_type"), (CPOConfig, "cpo.loss_type")):
        (known,) = (each.metadata["choices"] for each in fields(config) if each.name == "loss_type")
        assert set(KNOBS[path].choices) == set(known)
