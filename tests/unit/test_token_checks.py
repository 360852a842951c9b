"""The preflight names rows that would be trained without something that they hold, where tokens were counted."""

from __future__ import annotations

import json
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from core.dataset.audit.store import DecisionStore
from core.dataset.dataset import Dataset
from core.dataset.scan.keys import key_text, row_digest
from core.jobs.folder import JobFolder
from core.recipe import templates
from core.recipe.recipe import Recipe, put
from core.runs.curate import curate
from core.runs.overview_job import job_of
from core.runs.preflight import PreflightCheck, preflight
from core.runs.token_facts import RowTokens, TokenFacts, TokenFactsWriter
from core.runs.token_job import key_of
from core.runs.token_key import facts_folder, find_facts, recipe_key
from tests.kit.recipe_models import write_model
from tests.kit.waiting import PATIENCE

ROWS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]} for n in range(6)
]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe whose tokens are counted: rows 2 and 4 lose something trained, row 5 context, row 6 has a token."""
    model = write_model(tmp_path / "model", template=templates.text("chatml"))
    data = tmp_path / "train.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    made = put(put(Recipe(), "model.path", str(model)), "data.train", (str(data),))
    _count(made, tmp_path)
    return made


def _count(recipe: Recipe, workspace: Path) -> None:
    key = key_of(Dataset.open(list(recipe.data.train)))
    writer = TokenFactsWriter(facts_folder(workspace, key, recipe_key(recipe, workspace)), {})
    writer.add(
        [
            (RowTokens(0, 9, 3), {}),
            (RowTokens(1, 9, 3, not_rendered=True), {"not_rendered": "tool calls (turn 2)"}),
            (RowTokens(2, 9, 3), {}),
            (RowTokens(3, 9, 3, not_rendered=True), {"not_rendered": "media (turn 1)"}),
            (RowTokens(4, 9, 3, context_lost=True), {}),
            (RowTokens(5, 9, 3, control=True), {"control": "<|im_end|>"}),
        ]
    )
    writer.finish()
    writer.close()


def _tokens(recipe: Recipe, workspace: Path) -> list[PreflightCheck]:
    return [check for check in preflight(recipe, workspace) if check.name == "tokens"]


def test_facts_come_back_with_their_flags(recipe: Recipe, tmp_path: Path) -> None:
    lookup = find_facts(tmp_path, key_of(Dataset.open(list(recipe.data.train))), recipe_key(recipe, tmp_path))
    facts: TokenFacts = lookup.facts
    assert lookup.standing == "known"
    flags = {row: [(flag.name, flag.reason) for flag in found] for row, found in facts.all_flags().items()}
    assert set(flags) == {1, 3, 5}
    assert flags[1][0][0] == "not_rendered"
    assert "tool calls (turn 2)" in flags[1][0][1]
    assert flags[5] == [("control_tokens", "the text contains <|im_end|>")]
    assert facts.context_lost() == 1


def test_the_start_is_stopped_and_rows_are_named_from_one(recipe: Recipe, tmp_path: Path) -> None:
    stop, context = _tokens(recipe, tmp_path)
    assert (stop.verdict, stop.path) == ("stop", "data.train_without")
    assert "2 samples (row 2: tool calls (turn 2); row 4: media (turn 1))" in stop.sentence
    assert "data.train_without to tool_calls, media" in stop.sentence
    assert (context.verdict, "1 sample" in context.sentence) == ("warn", True)


def test_rows_that_are_not_trained_on_stop_nothing(recipe: Recipe, tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    store.decide(key_text(row_digest(ROWS[1]), 0), "drop").result(PATIENCE)
    (stop, _) = _tokens(recipe, tmp_path)
    assert "1 sample (row 4" in stop.sentence
    store.decide(key_text(row_digest(ROWS[3]), 0), "drop").result(PATIENCE)
    store.close()
    assert [check.verdict for check in _tokens(recipe, tmp_path)] == ["warn"]


def test_dropping_the_flag_is_a_way_on(recipe: Recipe, tmp_path: Path) -> None:
    dropping = put(recipe, "data.drop_flags", (*recipe.data.drop_flags, "not_rendered"))
    (left_out, _) = _tokens(dropping, tmp_path)
    assert (left_out.verdict, "2 samples" in left_out.sentence) == ("warn", True)
    keeping = put(recipe, "data.drop_flags", ())
    assert "special tokens" in _tokens(keeping, tmp_path)[-1].sentence


def test_another_template_or_training_without_makes_the_facts_stale(recipe: Recipe, tmp_path: Path) -> None:
    for path, value in (("model.chat_template", "llama3"), ("data.train_without", ("tool_calls", "media"))):
        other = put(recipe, path, value)
        assert not _tokens(other, tmp_path)
        key = key_of(Dataset.open(list(recipe.data.train)))
        assert find_facts(tmp_path, key, recipe_key(other, tmp_path)).standing == "stale"


def test_rows_with_control_tokens_are_counted_before_the_start_as_the_view_leaves_them_out(
    recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "model" / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello<|im_end|>"}]
    with Path(recipe.data.train[0]).open("a") as data:
        data.write(json.dumps({"messages": turns}) + "\n")
    (said,) = [check for check in preflight(recipe, tmp_path) if check.name == "rows" and "dropped" in check.sentence]
    assert "control_tokens 1" in said.sentence
    assert curate(recipe, tmp_path).dropped == {"control_tokens": 1}


TOOL_TURNS = [
    {"role": "user", "content": "Weather in Ulm?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"town": "Ulm"}}}],
    },
    {"role": "tool", "content": '{"t": 4}'},
    {"role": "assistant", "content": "4 degrees."},
]
THINKING = [
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4", "reasoning_content": "Two and two."},
    {"role": "user", "content": "3+3?"},
    {"role": "assistant", "content": "6", "reasoning_content": "Three and three."},
]


def _uncounted(recipe: Recipe, rows: list[dict[str, Any]], template: str = "") -> Recipe:
    """The recipe with other rows, whose tokens nobody has counted, and another template of the model itself."""
    data = Path(recipe.data.train[0])
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if template:
        write_model(Path(recipe.model.path), template=template)
    return recipe


def test_rows_are_looked_at_where_no_tokens_are_counted(recipe: Recipe, tmp_path: Path) -> None:
    """The same rows and words as those of the worker (`tests/unit/test_engine_rendered.py`), without a worker."""
    _uncounted(recipe, [*ROWS[:2], {"messages": TOOL_TURNS}, {"messages": THINKING}])
    (stop,) = _tokens(recipe, tmp_path)
    assert stop.verdict == "stop"
    assert "2 samples (row 3: tool calls (turn 2); row 4: reasoning (turns 2, 4))" in stop.sentence
    bare = put(recipe, "data.train_without", ("tool_calls", "reasoning"))
    assert not _tokens(bare, tmp_path)
    refusing = put(recipe, "model.chat_template", "qwen2.5")
    assert "row 3: tool calls (turn 2)" in _tokens(refusing, tmp_path)[0].sentence
    store = DecisionStore(tmp_path)
    store.decide(key_text(row_digest({"messages": TOOL_TURNS}), 0), "drop").result(PATIENCE)
    store.close()
    assert "1 sample (row 4" in _tokens(recipe, tmp_path)[0].sentence


def test_rows_of_several_files_say_which_files_they_are_in(recipe: Recipe, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    uncounted = _uncounted(recipe, [{**ROWS[0], "tools": [{"name": "f"}]}])
    several = put(uncounted, "data.train", (str(other), *uncounted.data.train))
    (said,) = _tokens(several, tmp_path)
    assert "row 7: " in said.sentence
    assert Path(uncounted.data.train[0]).name in said.sentence
    assert "files" in said.sentence


def test_the_template_that_trains_is_the_one_that_is_looked_at(recipe: Recipe, tmp_path: Path) -> None:
    """Qwen3's own template drops earlier thinking; TRL's training form of it, which trains, does not."""
    folder = Path(next(iter(util.find_spec("trl").submodule_search_locations)), "chat_templates")  # type: ignore[union-attr,arg-type]
    own = (folder / "qwen3.jinja").read_text()
    _uncounted(recipe, [{"messages": TOOL_TURNS}, {"messages": THINKING}], own)
    assert not _tokens(recipe, tmp_path)
    chosen = tmp_path / "chosen.jinja"
    chosen.write_text(own)
    (warn,) = _tokens(put(recipe, "model.chat_template", str(chosen)), tmp_path)
    assert (warn.verdict, "1 sample" in warn.sentence) == ("warn", True)


def test_of_a_large_dataset_the_first_rows_are_looked_at(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.runs.quick_render._MOST", 3)
    _uncounted(
        recipe, [ROWS[0], *({"messages": [{"role": "user", "content": f"{n}?"}, *TOOL_TURNS[1:]]} for n in range(9))]
    )
    (stop,) = _tokens(recipe, tmp_path)
    assert "3 samples among the first 4 rows (rows 2, 3, 4" in stop.sentence


def test_an_overview_of_just_this_recipe_knows_exactly_the_rows_that_train(recipe: Recipe, tmp_path: Path) -> None:
    part = {"not_rendered": 0, "not_rendered_rows": [], "context_lost": 0, "control": 0}
    train = {**part, "not_rendered": 7, "not_rendered_rows": [[3, "media (turn 1)"]]}

    def write(folder: JobFolder) -> None:
        out = folder.path / "overview"
        out.mkdir()
        (out / "facts.json").write_text("{}")
        (out / "tokens.json").write_text(json.dumps({"tokens": {"train": train, "eval": part, "sources": []}}))

    job_of(tmp_path, recipe).keep(write)
    (stop,) = _tokens(recipe, tmp_path)
    assert "7 samples (row 4: media (turn 1); and 6 more)" in stop.sentence
