"""Token facts on disk: one job writes, everybody reads while it goes on; keyed by all that the numbers rest on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.recipe.recipe import Data, Model, Recipe
from core.runs.token_facts import FACTS, RowTokens, TokenFacts, TokenFactsWriter
from core.runs.token_key import data_key, facts_folder, find_facts, latest_facts, recipe_key


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Five rows: whole, cut, cut with its whole answer, refused by the template, and one that is no sample."""
    writer = TokenFactsWriter(tmp_path / "facts", {"max_length": 64})
    writer.add(
        [
            (RowTokens(0, 20, 5), {}),
            (RowTokens(1, 64, 10, 262, 200), {"lost_text": "the end"}),
            (RowTokens(2, 64, 0, 9, 9), {"lost_text": "all"}),
            (RowTokens(3, state="refused"), {"problem": "roles must alternate"}),
            (RowTokens(4, state="unreadable"), {}),
        ]
    )
    writer.finish()
    writer.close()
    return writer.folder


def test_rows_come_back_with_flags_and_reasons(cache: Path) -> None:
    facts = TokenFacts(cache)
    assert facts.complete
    assert [row.state for row in facts.rows()] == ["measured"] * 3 + ["refused", "unreadable"]
    assert facts.totals() == {"rows": 5, "tokens": 148, "trained": 15, "lost": 271, "lost_trained": 209}
    flags = {row: [(flag.name, flag.reason) for flag in found] for row, found in facts.all_flags().items()}
    assert flags == {
        1: [("cut", "262 tokens lost, 200 of them trained: “the end”")],
        2: [
            ("zero_trained", "the whole answer is beyond the max length, so nothing is learned from this row"),
            ("cut", "9 tokens lost, 9 of them trained: “all”"),
        ],
        3: [("zero_trained", "cannot be tokenized: roles must alternate")],
    }


def test_a_row_can_be_measured_again_and_a_torn_record_is_written_anew(cache: Path) -> None:
    with (cache / FACTS).open("ab") as file:
        file.write(b"torn")
    writer = TokenFactsWriter(cache, {})
    assert writer.count == 5
    assert not TokenFacts(cache).complete, "a job that goes on says so"
    writer.add([(RowTokens(1, 30, 10, edit=7), {}), (RowTokens(5, 8, 2), {})])
    writer.close()
    facts = TokenFacts(cache)
    assert facts.row(1) == RowTokens(1, 30, 10, edit=7)
    assert facts.flags(RowTokens(1, 30, 10)) == ()
    assert facts.row(5) == RowTokens(5, 8, 2)
    assert facts.row(6) is None


def test_facts_are_those_of_one_recipe_and_one_state_of_the_files(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("{}\n")
    recipe = Recipe(model=Model(path="./model"), data=Data(max_length=512))
    key, shorter = recipe_key(recipe, tmp_path), recipe_key(replace(recipe, data=Data(max_length=256)), tmp_path)
    assert recipe_key(replace(recipe, data=Data(max_length=512, split_seed=7)), tmp_path) == key
    rows = data_key([data], "messages", {"messages": "messages"})
    assert find_facts(tmp_path, rows, key).standing == "none"
    assert latest_facts(tmp_path, rows) is None
    writer = TokenFactsWriter(facts_folder(tmp_path, rows, key), {})
    assert find_facts(tmp_path, rows, key).standing == "known"
    assert find_facts(tmp_path, rows, shorter).standing == "stale"
    assert latest_facts(tmp_path, rows) is None, "not before it is complete"
    writer.finish()
    writer.close()
    assert latest_facts(tmp_path, rows) is not None
    assert data_key([data], "messages", {"messages": "talk"}) != rows
    data.write_text("{}\n{}\n")
    assert data_key([data], "messages", {"messages": "messages"}) != rows


def test_a_tokenizer_that_changes_makes_the_numbers_stale(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "tokenizer.json").write_text("{}")
    recipe = Recipe(model=Model(path="./model"))
    before = recipe_key(recipe, tmp_path)
    (model / "model.safetensors").write_bytes(b"weights")
    assert recipe_key(recipe, tmp_path) == before
    (model / "tokenizer.json").write_text('{"other": 1}')
    assert recipe_key(recipe, tmp_path) != before


def test_a_text_beyond_the_max_length_says_how_much_is_used_and_offers_chunks(tmp_path: Path) -> None:
    writer = TokenFactsWriter(tmp_path / "cache", {})
    writer.add([(RowTokens(0, 2048, 2047, 7262, 7262), {"lost_text": "the end", "kind": "text"})])
    writer.close()
    facts = TokenFacts(tmp_path / "cache")
    (row,) = facts.rows()
    (flag,) = facts.flags(row)
    assert flag.name == "cut"
    assert "uses the first 2,048 of 9,310 tokens" in flag.reason
    assert "data.chunk_text" in flag.reason
    assert flag.reason.endswith("“the end”")


def test_chunks_are_counted_apart(tmp_path: Path) -> None:
    plain = Recipe(model=Model(path=str(tmp_path)))
    chunked = replace(plain, data=replace(plain.data, chunk_text=True))
    assert recipe_key(plain, tmp_path) != recipe_key(chunked, tmp_path)
