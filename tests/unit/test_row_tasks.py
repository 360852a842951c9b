"""Several tasks in one dataset: prompts, weights, counts, and what is said of names that do not fit."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.row_tasks import RowTask, RowTasks, counts_words, remarks
from core.dataset.sample import Message, Sample
from core.dataset.view.normal_rows import write_rows
from core.dataset.view.overview import overview_of
from core.errors import BadInput
from core.evaluation.by_task import TaskScores, rows_by_task
from core.paths import SAMPLE_DATA
from core.recipe.command_line import apply_settings
from core.recipe.recipe import Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.sections.data import DatasetTask
from core.runs.curate import curate
from core.runs.preflight import preflight
from core.runs.token_key import recipe_key
from tui.overview.words import overview_lines

TASKS = RowTasks("kind", (RowTask("sum", 2.0, "Be brief.", "Summarize:"), RowTask("tag", 0.5), RowTask("none", 0.0)))


def chat(*turns: tuple[str, str]) -> Sample:
    return Sample("messages", tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]


def test_a_task_gives_its_system_prompt_and_a_line_before_the_first_question() -> None:
    plain = chat(("user", "long"), ("assistant", "short"), ("user", "more"), ("assistant", "less"))
    found = TASKS.apply(plain, "sum")
    assert [(turn.role, turn.content) for turn in found.messages[:2]] == [
        ("system", "Be brief."),
        ("user", "Summarize:\nlong"),
    ]
    assert found.messages[3].content == "more"
    own = TASKS.apply(chat(("system", "Old."), ("user", "q"), ("assistant", "a")), "sum")
    assert [turn.content for turn in own.messages] == ["Be brief.", "Summarize:\nq", "a"]
    assert TASKS.apply(plain, "tag") is plain
    assert TASKS.apply(plain, "unknown") is plain
    assert TASKS.apply(Sample("text", text="once"), "sum").text == "Summarize:\nonce"
    pair = Sample("preference", (Message("user", "q"),), chosen=(Message("assistant", "a"),))
    assert TASKS.apply(pair, "sum").messages[1].content == "Summarize:\nq"
    marked = Sample("messages", (Message("user", "quiet", untrained=((0, 2),)), Message("assistant", "a")))
    assert TASKS.apply(marked, "sum").messages[1].untrained == ((11, 13),)


def test_what_a_row_names() -> None:
    for value, name in (({"kind": " sum "}, "sum"), ({"kind": 3}, "3"), ({}, ""), (None, ""), ({"kind": ["a"]}, "")):
        assert TASKS.of(value) == name
    said = remarks(TASKS, {"sum": 3, "tag": 1, "odd": 2, "": 1})
    assert any("none" in sentence and "No row" in sentence for sentence in said)
    assert any("2 rows" in sentence and "odd" in sentence for sentence in said)
    assert any("1 row has no task" in sentence for sentence in said)
    assert counts_words(TASKS, {"sum": 3, "odd": 20, "": 1}) == "odd 20, sum 3 (weight 2)"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"prompt": f"text {n}", "response": f"answer {n}", "kind": ("sum", "tag", "odd")[n % 3]} for n in range(60)]
    rows.append({"prompt": "who", "response": "me"})
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe(data: Path, **changes: Any) -> Recipe:
    found = put(put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base")), "data.train", (str(data),))
    tasks = (DatasetTask("sum", 2.0, "Be brief.", "Summarize:"), DatasetTask("tag", 0.5))
    for path, value in {"data.task_column": "kind", "data.tasks": tasks, **changes}.items():
        found = put(found, path.replace("__", "."), value)
    return found


def test_the_training_set_has_the_weights_and_both_sets_have_the_prompts(data: Path, tmp_path: Path) -> None:
    view = curate(recipe(data), tmp_path)
    lines = {part: [json.loads(line) for line in (view.folder / f"{part}.jsonl").open()] for part in ("train", "eval")}
    facts = {each["name"]: each for each in view.manifest["tasks"]}
    own = {name: 20 - facts[name]["eval"] for name in ("sum", "tag", "odd")}
    assert facts["sum"]["train"] == 2 * own["sum"]
    assert facts["tag"]["train"] == round(own["tag"] / 2)
    assert facts["odd"]["train"] == own["odd"]
    assert view.train_count == len(lines["train"]) == sum(each["train"] for each in facts.values())
    for part in lines.values():
        for line in part:
            first = line["sample"]["messages"][0]
            assert (first["role"] == "system") == (line.get("task") == "sum")
    assert any("odd" in note and "20 rows" in note for note in view.manifest["notes"])
    overview = {**overview_of(view), "tokens": None, "cost": None, "tokens_words": ""}
    text = "\n".join("".join(piece for piece, _ in line) for line in overview_lines(overview, 100))
    assert f"{facts['sum']['train']}" in text
    assert "weight 0.5" in text
    assert curate(recipe(data, data__tasks=()), tmp_path).fingerprint != view.fingerprint
    assert curate(recipe(data), tmp_path).fingerprint == view.fingerprint


def test_the_users_own_eval_file_gets_the_prompts_and_no_weight(data: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"prompt": "new", "response": "yes", "kind": "sum"}) + "\n")
    view = curate(recipe(data, data__eval=(str(held),)), tmp_path)
    (line,) = [json.loads(line) for line in view.eval.open()]
    assert [turn["content"] for turn in line["sample"]["messages"]] == ["Be brief.", "Summarize:\nnew", "yes"]
    assert view.manifest["tasks"][0] == {"name": "sum", "train": 40, "eval": 1, "weight": 2.0}


def test_tokens_are_counted_with_the_prompts(data: Path, tmp_path: Path) -> None:
    chosen = recipe(data)
    out = io.BytesIO()
    tasks = chosen.data.row_tasks
    assert tasks is not None
    question = {
        "paths": [str(data)],
        "format": None,
        "columns": {},
        "workspace": str(tmp_path),
        "tasks": tasks.to_json(),
    }
    write_rows(question, out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[1]["sample"]["messages"][0]["content"] == "Be brief."
    assert lines[2]["sample"]["messages"][0]["role"] == "user"
    assert recipe_key(chosen, tmp_path) != recipe_key(recipe(data, data__tasks=()), tmp_path)


def test_a_column_that_is_not_there_stops_the_start_and_counts_are_said_before(data: Path, tmp_path: Path) -> None:
    def lines(**changes: Any) -> list[tuple[str, str, str]]:
        found = preflight(recipe(data, **changes), tmp_path)
        return [(line.verdict, line.path, line.sentence) for line in found if line.name == "tasks"]

    said = lines()
    assert ("ok", "", "Tasks: odd 20, sum 20 (weight 2), tag 20 (weight 0.5).") in said
    assert any(verdict == "warn" and "odd" in sentence for verdict, _, sentence in said)
    ((verdict, path, sentence),) = lines(data__task_column="sort")
    assert (verdict, path) == ("stop", "data.task_column")
    assert "kind" in sentence
    with pytest.raises(BadInput, match="kind"):
        curate(recipe(data, data__task_column="sort"), tmp_path)
    every = tuple(DatasetTask(name, 0.0) for name in ("sum", "tag", "odd"))
    rows = data.read_text().splitlines()[:-1]
    data.write_text("".join(line + "\n" for line in rows))
    with pytest.raises(BadInput, match="weights"):
        curate(recipe(data, data__tasks=every), tmp_path)
    assert lines(data__task_column="", data__tasks=()) == []


def test_the_field_is_written_in_the_form_and_refuses_what_is_listed_twice(tmp_path: Path) -> None:
    text = "data.tasks=sum=2; system=Be brief.; prefix=Summarize:, tag=0.5"
    found = apply_settings(put(Recipe(), "data.task_column", "kind"), [text], tmp_path)
    assert found.data.tasks == (DatasetTask("sum", 2.0, "Be brief.", "Summarize:"), DatasetTask("tag", 0.5))
    twice = put(found, "data.tasks", (DatasetTask("sum", 2.0), DatasetTask("sum", 3.0)))
    assert "data.tasks" in [problem.path for problem in validate(twice) if problem.severity == "error"]
    with pytest.raises(BadInput, match="at least 0"):
        apply_settings(found, ["data.tasks=sum=-1"], tmp_path)
    alone = put(found, "data.task_column", "")
    assert any(problem.path == "data.tasks" and "effect" in problem.sentence for problem in validate(alone))


class _Lengths:
    """A measurement that needs no model: how many rows there are."""

    def measure(self, model: Any, rows: Any, *_: Any, **__: Any) -> int:
        return len(rows) * int(model)

    def summary(self, base: Any, tuned: Any, recipe: Recipe) -> dict[str, Any]:
        return {"base": base, "tuned": tuned}

    def words(self, facts: Any) -> str:
        return f"{facts['base']} and {facts['tuned']}"

    def findings(self, facts: Any) -> list[str]:
        return []


class _Rows(list[int]):
    def select(self, places: Any) -> _Rows:
        return _Rows(self[place] for place in places)


def test_held_out_samples_are_measured_for_each_task(tmp_path: Path) -> None:
    view = tmp_path / "eval.jsonl"
    view.write_text("".join(json.dumps({"task": name} if name else {}) + "\n" for name in ("sum", "tag", "", "sum")))
    each = [5, 1, 4, 1, 3, 1, 5, 2]
    assert rows_by_task(view, each, 4) == {"sum": [0, 3], "tag": [1], "": [2]}
    assert rows_by_task(view, [5, 1, 0, 0, 3, 1, 5, 2], 3) == {}, "one task is left"
    assert rows_by_task(view, each, 5) == {}, "a sample has become several"
    scores = TaskScores(_Lengths(), _Rows(range(4)), rows_by_task(view, each, 4))
    for model, name in ((1, "base"), (3, "tuned")):
        scores.add(model, name, _Lengths().measure)
    assert [(line["task"], line["words"]) for line in scores.summary(Recipe())] == [
        ("sum", "2 and 6"),
        ("tag", "1 and 3"),
        ("(no task)", "1 and 3"),
    ]
