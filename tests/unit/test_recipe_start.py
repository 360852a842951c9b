"""From a recipe to a job: what is in the run's folder, which stages run, and what stops a start.

The keeper is the real one; its workers are stand-ins that end at once, because training has tests of its own.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from core.dataset.view.view import read_view
from core.errors import BadInput
from core.jobs.at_end import wanted
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from core.jobs.trust import COMMAND, ConsentRequest, NotAgreed, workspace_ask
from core.recipe import templates
from core.recipe.recipe import Recipe, from_json, put
from core.recipe.sections.data import MixSource
from core.recipe.values import Value
from core.recipe.yamlfile import load, save
from core.runs.start import prepare_run, resolve, start_run
from tests.kit.recipe_models import write_model
from tests.kit.run_folders import make_run
from tests.kit.waiting import until
from tui.cli import main


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a model and data, whose workers are a command that writes its arguments and ends."""
    write_model(tmp_path / "model", template=templates.text("chatml"))
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(20)
    ]
    rows += [rows[0], {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]}]
    (tmp_path / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    worker = tmp_path / "worker"
    worker.write_text('#!/bin/sh\n[ "$1" != -m ] || echo "$2" >> "$3/ran"\n')
    worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(worker))
    return tmp_path


def recipe_of(**changes: Value) -> Recipe:
    """A recipe with relative paths."""
    recipe = put(put(Recipe(), "model.path", "./model"), "data.train", ("tickets.jsonl",))
    recipe = put(put(put(recipe, "lora.rank", 4), "lora.alpha", 8.0), "data.max_length", 64)
    for path, value in changes.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


def ended(folder: JobFolder) -> list[str]:
    """The modules of the stages that ran, once the job is over."""
    until(lambda: standing(folder).over, "the job ends")
    return (folder.path / "ran").read_text().split()


def test_a_start_makes_a_folder_that_tells_everything(workspace: Path) -> None:
    folder = start_run(recipe_of(), workspace)
    assert ended(folder) == ["core.training", "core.evaluation"]
    assert folder.path.parent == workspace / "runs"
    assert folder.id.endswith("-tickets")
    job = folder.read_job()
    assert job["kind"] == "training"
    recipe = from_json(job["payload"]["recipe"])
    assert recipe == load(folder.recipe)
    assert recipe.name == "tickets"
    assert recipe.model.path == str(workspace / "model")
    assert recipe.data.train == (str(workspace / "tickets.jsonl"),)
    view = read_view(folder.data)
    assert view.fingerprint == recipe.data.view
    assert view.train_count + view.eval_count == 20
    assert view.eval_count > 0
    assert view.dropped == {"exact_duplicate": 1, "empty_answer": 1}
    counted = {"train": view.train_count, "eval": view.eval_count, "dropped": view.dropped}
    assert job["payload"]["samples"] == counted
    shared = workspace / ".tunedeck" / "views" / view.fingerprint / "train.jsonl"
    assert os.path.samefile(shared, folder.data / "train.jsonl")
    assert "## Dropped rows" in (folder.data / "audit.md").read_text()


def test_the_stamped_report_tells_of_the_last_search_for_near_duplicates_in_the_same_data(workspace: Path) -> None:
    data = workspace / "tickets.jsonl"
    rows = data.read_text().splitlines()
    data.write_text("\n".join([*rows, rows[3].replace("answer 3", "answer 3 .")]) + "\n")
    stamp = data.stat()
    payload = {
        "paths": [str(data)],
        "format": None,
        "columns": {},
        "eval_paths": [],
        "near": {"threshold": 0.6},
        "checks": ["near_duplicate"],
        "stamps": [[str(data), stamp.st_size, stamp.st_mtime_ns]],
    }
    search = JobFolder.create(workspace / ".tunedeck" / "jobs", "near-0", "scan", payload=payload)
    launch(search, [worker_command("core.dataset.scan.job", search, python=sys.executable)])
    until(lambda: standing(search).over, "the search")

    def report() -> str:
        folder = start_run(recipe_of(), workspace)
        ended(folder)
        return (folder.data / "audit.md").read_text()

    reported = report()
    assert "at 60%+ similarity" in reported
    assert "| near-duplicate |" in reported
    data.write_text(data.read_text() + rows[4].replace("answer", "another answer") + "\n")
    reported = report()
    assert "not been searched for near-duplicates" in reported
    assert "| near-duplicate |" not in reported


def test_a_mix_is_named_in_manifest_and_report_and_changes_the_view(workspace: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"tell {n * 7919}"}, {"role": "assistant", "content": f"told {n}"}]}
        for n in range(50)
    ]
    (workspace / "general.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plain = start_run(recipe_of(), workspace)
    folder = start_run(recipe_of(data__mix=(MixSource("./general.jsonl", 0.25),)), workspace)
    for each in (plain, folder):
        ended(each)
    recipe = from_json(folder.read_job()["payload"]["recipe"])
    assert recipe.data.mix == (MixSource(str(workspace / "general.jsonl"), 0.25),)
    assert load(folder.recipe) == recipe
    view, before = read_view(folder.data), read_view(plain.data)
    assert (view.fingerprint != before.fingerprint, view.eval_count) == (True, before.eval_count)
    own, mixed = view.manifest["contributions"]
    assert (own["samples"], mixed["samples"]) == (before.train_count, round(before.train_count / 3))
    report = (folder.data / "audit.md").read_text()
    assert "drawn" in report
    assert f"| {mixed['samples']} | {mixed['share']:.0%} |" in report


def test_the_runs_own_recipe_starts_the_same_run_again(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = start_run(recipe_of(), workspace)
    ended(first)
    second = start_run(load(first.recipe), workspace, base=tmp_path_factory.mktemp("elsewhere"))
    ended(second)
    assert second.path != first.path
    assert second.read_job()["payload"] == first.read_job()["payload"]
    assert second.recipe.read_text() == first.recipe.read_text()


@pytest.mark.parametrize("changes", [{"evaluation__after_training": False}, {"data__eval_fraction": 0.0}])
def test_nothing_is_compared_where_it_is_not_wanted_or_nothing_is_held_out(
    workspace: Path, changes: dict[str, Value]
) -> None:
    assert ended(start_run(recipe_of(**changes), workspace)) == ["core.training"]


def test_devices_are_narrowed_for_keeper_and_worker(workspace: Path) -> None:
    folder = start_run(recipe_of(training__devices="cpu"), workspace)
    ended(folder)
    assert folder.read_job()["env"] == {"CUDA_VISIBLE_DEVICES": ""}


def test_a_name_given_at_the_start_wins(workspace: Path) -> None:
    folder = start_run(recipe_of(), workspace, name="Try 2")
    ended(folder)
    assert folder.read_job()["name"] == "Try 2"
    assert load(folder.recipe).name == "Try 2"


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"model__path": "./nowhere"}, "model.path", "There is no such folder"),
        ({"data__train": ()}, "data.train", "No training data"),
        ({"data__train": ("none.jsonl",)}, "data.train", "none.jsonl"),
        ({"lora__targets": ("query",)}, "lora.targets", "no layer named query"),
    ],
)
def test_a_start_that_cannot_go_well_is_refused_and_leaves_nothing(
    workspace: Path, changes: dict[str, Value], where: str, words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        start_run(recipe_of(**changes), workspace)
    assert caught.value.where == where
    assert words in str(caught.value)
    assert not (workspace / "runs").exists()


def test_data_of_which_nothing_is_left_is_refused_and_leaves_no_run(workspace: Path) -> None:
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]}
    (workspace / "tickets.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BadInput, match="left to train on"):
        start_run(recipe_of(), workspace)
    assert not (workspace / "runs").exists()


def test_a_command_at_the_end_is_allowed_once_before_a_start_and_then_runs(workspace: Path) -> None:
    command = f'echo "$TUNEDECK_STATE" > "{workspace}/told"'
    recipe = recipe_of(reporting__at_end=command)
    with pytest.raises(NotAgreed) as caught:
        start_run(recipe, workspace)
    assert command in str(caught.value)
    assert not (workspace / "runs").exists()
    ConsentRequest(COMMAND, command).agree()
    for _ in range(2):
        folder = start_run(recipe, workspace)
        assert wanted(folder.read_job()["payload"]).agreed == (command,)
        until(lambda: (workspace / "told").exists(), "the command has run")
        (workspace / "told").unlink()


def test_the_command_line_allows_what_it_names_and_asks_for_the_rest(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"touch {workspace / 'X'}"
    file, here = workspace / "recipe.yaml", ["--workspace", str(workspace), "--detach"]
    save(resolve(recipe_of(reporting__at_end=command), workspace), file)
    for doing in (["train"], ["queue", "add"]):
        assert main([*doing, str(file), "--workspace", str(workspace)]) == 2
        said = capsys.readouterr().err
        assert command in said
        assert "--allow-command" in said
    assert not (workspace / "runs").exists()
    typed = f"touch {workspace / 'Y'}"
    assert main(["train", str(file), "--set", f"reporting.at_end={typed}", *here]) == 0
    until(lambda: (workspace / "Y").exists(), "what was typed has run")
    assert not ConsentRequest(COMMAND, command).agreed
    assert main(["train", str(file), "--allow-command", *here]) == 0
    until(lambda: (workspace / "X").exists(), "what was allowed has run")


def test_a_start_among_runs_from_elsewhere_needs_a_yes_and_is_then_one_of_them(workspace: Path) -> None:
    make_run(workspace)
    with pytest.raises(NotAgreed, match="tunedeck trust"):
        start_run(recipe_of(), workspace)
    workspace_ask(workspace).agree()
    ended(start_run(recipe_of(), workspace))


def test_a_recipe_without_a_name_is_named_after_its_data(tmp_path: Path) -> None:
    assert resolve(recipe_of(), tmp_path).name == "tickets"
    assert resolve(recipe_of(name="mine"), tmp_path).name == "mine"
    assert resolve(Recipe(), tmp_path).name == ""


def test_a_run_beside_another_on_the_same_device_says_so(workspace: Path) -> None:
    workspace_ask(workspace).agree()
    other = make_run(workspace)  # active, on the CPU
    folder = start_run(recipe_of(training__devices="cpu"), workspace)
    until(lambda: standing(folder).over, "the job ends")
    alerts = [json.loads(line) for line in folder.events.read_text().splitlines() if '"alert"' in line]
    reported = [alert["message"] for alert in alerts if "also running on" in alert["message"]]
    assert len(reported) == 1
    assert reported[0].startswith(f"{other.id} is also running on the CPU")
    elsewhere = start_run(recipe_of(training__devices="cpu"), workspace / "elsewhere", base=workspace)
    until(lambda: standing(elsewhere).over, "the job ends")
    assert "also running on" not in elsewhere.events.read_text(), "each run named itself"


def test_a_setting_without_effect_is_said_in_the_runs_events(workspace: Path) -> None:
    folder = start_run(recipe_of(method="full", training__learning_rate=1e-5), workspace)
    ended(folder)
    alerts = [json.loads(line)["message"] for line in folder.events.read_text().splitlines() if '"alert"' in line]
    assert "Rank: no effect because method is full." in alerts
    assert not any("Dropout" in alert for alert in alerts)


def test_a_start_is_refused_where_too_many_rows_cannot_be_read_unless_that_is_accepted(workspace: Path) -> None:
    with (workspace / "tickets.jsonl").open("a") as data:
        data.write('{"messages": 5}\n' * 10)
    with pytest.raises(BadInput, match=r"10 of 32 rows.*tickets\.jsonl") as refused:
        prepare_run(recipe_of(), workspace)
    assert refused.value.where == "data.allow_unreadable"
    assert not list((workspace / "runs").glob("*"))
    run = prepare_run(recipe_of(data__allow_unreadable=True), workspace)
    events = [json.loads(line) for line in (run.folder.path / "events.jsonl").read_text().splitlines()]
    assert any(event["kind"] == "alert" and "10 of 32" in event["message"] for event in events)
    assert any(event["kind"] == "rows" and "empty_answer 1" in event["message"] for event in events)
