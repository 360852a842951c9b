"""Tokenizers against the models they come with: too many tokens, no end, broken files, control tokens that are none."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from core.paths import SAMPLE_DATA
from core.recipe import templates
from core.recipe.declare import Problem
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Recipe, put
from core.recipe.rules.tokens import check, check_template
from core.recipe.tokenizer_files import read_tokenizer
from core.runs.preflight import preflight
from tests.kit.recipe_models import write_model

BASE = SAMPLE_DATA / "tiny_base"


def _model(folder: Path, *, size: int = 60, added: dict[str, int] | None = None, **config: Any) -> Path:
    """A model of 64 rows with a tokenizer of so many tokens."""
    write_model(folder, template="x")
    vocabulary = {"</s>": 0} | {f"t{number}": number for number in range(1, size)}
    tokens = [{"id": place, "content": token, "special": True} for token, place in (added or {}).items()]
    whole = {"version": "1.0", "added_tokens": tokens, "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return folder


def _found(folder: Path, chosen: str = "") -> list[Problem]:
    shape, facts = read_shape(str(folder)), read_tokenizer(folder)
    return [*check(shape, facts), *check_template(shape, facts, templates.text(chosen) if chosen else "", chosen)]


def test_the_size_is_that_of_the_real_tokenizer() -> None:
    from tokenizers import Tokenizer

    real, facts = Tokenizer.from_file(str(BASE / "tokenizer.json")), read_tokenizer(BASE)
    assert facts.size == max(real.get_vocab().values()) + 1
    assert facts.end == json.loads((BASE / "tokenizer_config.json").read_text())["eos_token"]
    assert facts.end_known
    assert _found(BASE) == []


@pytest.mark.parametrize(
    ("size", "added", "tokens"),
    [(64, {}, None), (65, {}, "65"), (60, {"<|x|>": 64}, "65"), (60, {"<|x|>": 63}, None), (40, {"a": 99}, "100")],
)
def test_a_tokenizer_larger_than_the_embedding_is_a_stop(
    tmp_path: Path, size: int, added: dict[str, int], tokens: str | None
) -> None:
    found = _found(_model(tmp_path / "m", size=size, added=added))
    assert [(problem.path, problem.severity) for problem in found] == [("model.path", "error")] * (tokens is not None)
    assert all(f"{tokens} tokens" in problem.sentence and "64 rows" in problem.sentence for problem in found)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"eos_token": None}, "EOS"),
        ({"eos_token": "<|gone|>"}, "<|gone|> is not in"),
        ({"eos_token": {"content": "</s>"}}, ""),
        ({"eos_token": None, "tokenizer_class": "GPT2Tokenizer"}, "EOS"),
    ],
)
def test_a_tokenizer_without_an_end_is_a_stop(tmp_path: Path, config: dict[str, Any], word: str) -> None:
    found = _found(_model(tmp_path / "m", **config))
    assert [problem.severity for problem in found] == ["error"] * bool(word)
    assert all(word in problem.sentence for problem in found)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("added_tokens.json", {"<|x|>": 64}),
        ("tokenizer_config.json", {"eos_token": "</s>", "added_tokens_decoder": {"64": {"content": "<|x|>"}}}),
    ],
)
def test_tokens_that_other_files_add_count(tmp_path: Path, name: str, said: dict[str, Any]) -> None:
    folder = _model(tmp_path / "m")
    (folder / name).write_text(json.dumps(said))
    ((problem),) = _found(folder)
    assert "65 tokens" in problem.sentence


def test_an_end_in_the_map_of_special_tokens_counts(tmp_path: Path) -> None:
    folder = _model(tmp_path / "m")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    assert [problem.brief for problem in _found(folder)] == ["no EOS token"]
    (folder / "special_tokens_map.json").write_text('{"eos_token": {"content": "</s>"}}')
    assert _found(folder) == []


@pytest.mark.parametrize(
    "text", ['{"model": {"vocab": {"a": 0,', "version https://git-lfs.github.com/spec/v1", "not json", '{"a": 1}', ""]
)
def test_a_broken_tokenizer_is_a_stop(tmp_path: Path, text: str) -> None:
    folder = _model(tmp_path / "m")
    (folder / "tokenizer.json").write_text(text)
    ((problem),) = _found(folder)
    assert (problem.path, problem.severity, problem.brief) == ("model.path", "error", "broken tokenizer")


def test_a_unigram_vocabulary_is_a_list(tmp_path: Path) -> None:
    folder = _model(tmp_path / "m")
    pieces = [["</s>", 0.0], *([f"p{number}", -1.0] for number in range(69))]
    whole = {"added_tokens": [], "model": {"type": "Unigram", "vocab": pieces}}
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    assert read_tokenizer(folder).size == 70
    assert "70 tokens" in _found(folder)[0].sentence


def test_chatml_on_a_base_without_its_tokens_is_named_with_a_way_on(tmp_path: Path) -> None:
    folder = _model(tmp_path / "m")
    ((problem),) = _found(folder, "chatml")
    assert (problem.path, problem.severity) == ("model.chat_template", "warn")
    assert "<|im_start|>" in problem.sentence
    assert "Use plain" in problem.sentence
    assert "</s>" in problem.sentence
    assert _found(folder, "plain") == []
    assert [each.severity for each in _found(folder, "llama3")] == ["warn"]
    known = _model(tmp_path / "known", added={"<|im_start|>": 61, "<|im_end|>": 62})
    assert [each.brief for each in _found(known, "chatml")] == ["untrained tokens"]  # its weights are zeros
    file = known / "model.safetensors"
    raw = bytearray(file.read_bytes())
    start = 8 + int.from_bytes(raw[:8], "little")  # the embedding comes first
    for row in (61, 62):
        struct.pack_into("<H", raw, start + row * 16 * 2, 0x3C00)  # 2**-7 as a bfloat16
    file.write_bytes(raw)
    assert _found(known, "chatml") == []


def test_the_preflight_says_so_and_stops(tmp_path: Path) -> None:
    data = tmp_path / "a.jsonl"
    data.write_text('{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n')
    recipe = put(put(Recipe(), "data.train", (str(data),)), "model.chat_template", "chatml")
    large = put(recipe, "model.path", str(_model(tmp_path / "large", size=70)))
    found = [(check.verdict, check.path) for check in preflight(large, tmp_path) if check.name == "tokenizer"]
    assert found == [("stop", "model.path")]
    small = put(recipe, "model.path", str(_model(tmp_path / "small")))
    found = [(check.verdict, check.path) for check in preflight(small, tmp_path) if check.name == "tokenizer"]
    assert found == [("warn", "model.chat_template")]


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
@pytest.mark.parametrize("content", ["", "[", "[1]", "[" * 100_000])
def test_a_broken_file_beside_the_tokenizer_is_named(tmp_path: Path, name: str, content: str) -> None:
    folder = _model(tmp_path / "m")
    (folder / "chat_template.jinja").write_text("x")
    (folder / name).write_text(content)
    (problem,) = check(read_shape(str(folder)), read_tokenizer(folder))
    assert problem.severity == "error"
    assert name in problem.sentence
