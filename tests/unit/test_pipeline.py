"""Recipes that run one after the other: prepared whole or not at all, each from the one before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.queue import Queue
from core.jobs.runs import list_runs
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Recipe, put
from core.recipe.yamlfile import load, save
from core.runs.commands import own_recipe
from core.runs.origin import START
from core.runs.pipeline import pipeline_findings, sources_of, stages_of
from core.runs.pipeline_queue import need_words, queue_pipeline, release, runs_that_need
from core.runs.run_queue import commands_when_due
from core.verdict.run_list import RunLine, RunList
from tests.kit.weights import adapter_folder
from tui.cli import main
from tui.runs.rows import NEWEST, cells, listed

BASE = SAMPLE_DATA / "tiny_base"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace whose queue is paused, so that nothing starts, with data of both kinds."""
    chats = [{"prompt": f"question {n}", "response": f"answer {n}, of course"} for n in range(20)]
    pairs = [{"prompt": f"question {n}", "chosen": f"answer {n}", "rejected": "no"} for n in range(20)]
    for name, rows in (("chats", chats), ("pairs", pairs)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Queue(tmp_path).pause(True)
    return tmp_path


def recipe(workspace: Path, task: str, **changes: Any) -> Recipe:
    data = workspace / ("chats.jsonl" if task == "sft" else "pairs.jsonl")
    found = put(put(Recipe(name=task, task=task), "model.path", str(BASE)), "data.train", (str(data),))
    for path, value in {"training.devices": "cpu", "training.learning_rate": 1e-5, **changes}.items():
        found = put(found, path.replace("__", "."), value)
    return found


def test_all_are_prepared_and_queued_and_each_starts_from_the_one_before(workspace: Path) -> None:
    save(recipe(workspace, "dpo"), workspace / "dpo.yaml")
    save(recipe(workspace, "sft", name="polish", starts_from="sft"), workspace / "polish.yaml")
    first = put(recipe(workspace, "sft"), "then", (str(workspace / "dpo.yaml"), str(workspace / "polish.yaml")))
    sft = queue_pipeline(stages_of(first), workspace)[0]
    entries = Queue(workspace).read().entries
    runs = [JobFolder(workspace / "runs" / entry.id) for entry in entries]
    assert runs[0].path == sft.path
    assert [entry.after for entry in entries] == ["", runs[0].id, runs[1].id], "one after the other"
    assert [own_recipe(run).starts_from for run in runs] == ["", sft.id, sft.id]
    parts = [run.read_job()["payload"]["pipeline"] for run in runs]
    assert [(part["stage"], part["of"]) for part in parts] == [(1, 3), (2, 3), (3, 3)]
    assert len({part["id"] for part in parts}) == 1
    assert sft.id in runs[1].read_status().message

    assert runs_that_need(sft) == [runs[1].id, runs[2].id]
    assert runs[1].id in need_words(sft)
    assert runs_that_need(runs[1]) == [runs[2].id], "it comes after it, though it starts from another"
    assert need_words(runs[2]) == ""
    with pytest.raises(BadInput, match="no weights yet"):
        release(workspace, runs[1])
    with pytest.raises(BadInput, match="not waiting for"):
        release(workspace, runs[0])
    sft.reset_status(state="finished", ended=1.0)
    adapter_folder(sft.adapter, BASE)
    commands_when_due(runs[1])
    assert (runs[1].path / START / "adapter_model.safetensors").exists(), "the queue's runner gives it its weights"


def test_what_does_not_fit_is_refused_before_anything_is_queued(workspace: Path) -> None:
    other = recipe(workspace, "dpo", lora__rank=4)
    with pytest.raises(BadInput, match=r"Recipe 2 of the pipeline \(dpo\).*rank"):
        queue_pipeline([recipe(workspace, "sft"), other], workspace)
    assert list_runs(workspace) == []
    assert Queue(workspace).read().entries == ()
    save(other, workspace / "dpo.yaml")
    first = put(recipe(workspace, "sft"), "then", (str(workspace / "dpo.yaml"),))
    (problem,) = pipeline_findings(first)
    assert (problem.path, problem.severity) == ("then", "error")
    assert "lora.rank" in problem.sentence
    save(put(other, "starts_how", "merge"), workspace / "dpo.yaml")
    (problem,) = pipeline_findings(first)
    assert problem.severity == "note"
    assert "2 runs" in problem.sentence
    for text, word in (("then: [x.yaml]\n", "then"), ("nonsense: 1\n", "nonsense"), (None, "No such file")):
        (workspace / "dpo.yaml").unlink(missing_ok=True)
        if text is not None:
            (workspace / "dpo.yaml").write_text(text)
        (problem,) = pipeline_findings(first)
        assert word in problem.sentence


def test_a_stage_names_an_earlier_one_the_base_or_any_run(workspace: Path) -> None:
    stages = [
        recipe(workspace, "sft"),
        recipe(workspace, "dpo", starts_from="base"),
        recipe(workspace, "dpo", starts_from="sft"),
        recipe(workspace, "dpo", starts_from="some-run"),
        recipe(workspace, "dpo"),
    ]
    assert sources_of(stages) == ["", "", 0, "some-run", 3]
    assert stages_of(stages[0]) == [stages[0]]


def test_the_command_line_takes_several_recipes_or_one_that_names_them(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace)
    save(recipe(workspace, "sft"), workspace / "sft.yaml")
    save(recipe(workspace, "dpo"), workspace / "dpo.yaml")
    assert main(["train", "sft.yaml", "dpo.yaml", "--set", "training.seed=5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [own_recipe(JobFolder(workspace / "runs" / name)).training.seed for name in found["pipeline"]] == [5, 5]
    (workspace / "all.yaml").write_text((workspace / "sft.yaml").read_text() + "\nthen: [dpo.yaml]\n")
    text = (workspace / "all.yaml").read_text()
    (workspace / "all.yaml").write_text(text.replace("then: []", ""))
    assert load(workspace / "all.yaml").then == (str(workspace / "dpo.yaml"),)
    assert main(["queue", "add", "all.yaml", "--json"]) == 0
    waiting = json.loads(capsys.readouterr().out)["waiting"]
    assert [bool(each["after"]) for each in waiting] == [False, True, False, True]
    assert main(["queue", "remove", waiting[0]["id"]]) == 0
    assert waiting[1]["id"] in capsys.readouterr().out
    assert len(Queue(workspace).read().entries) == 2
    assert main(["queue", "release", waiting[3]["id"]]) == 2
    assert main(["train", "sft.yaml", "all.yaml"]) == 2
    assert main(["train", "sft.yaml", "dpo.yaml", "--print-slurm"]) == 2

    lines = listed(RunList(workspace).read(), "", NEWEST)
    assert [(line.info.name, line.info.stage) for line in lines] == [("sft", 1), ("dpo", 2), ("sft", 1), ("dpo", 2)]
    assert cells(lines[1], "")[2][0].endswith("2/2 dpo")
    assert isinstance(lines[0], RunLine)
    assert lines[0].to_json()["pipeline"]["of"] == 2
