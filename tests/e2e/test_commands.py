"""The headless commands on real runs: exit codes, JSON, and that watching is not running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.paths import ROOT, SAMPLE_DATA
from core.recipe.recipe import put
from core.recipe.yamlfile import load, save
from tests.kit.waiting import until
from tests.kit.walk import ENV, TUNEDECK, tunedeck_json
from tests.kit.warm.process import WarmPython


def tunedeck(workspace: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal."""
    return subprocess.run(
        [*TUNEDECK, *words],
        cwd=workspace,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **ENV, **env},
        timeout=300,
    )


def recipe_file(workspace: Path, **fields: Any) -> Path:
    """The demo's recipe with some fields changed, as a file in the workspace."""
    recipe = load(SAMPLE_DATA / "recipe.yaml")
    for path, value in {"evaluation.prompts": 2, "evaluation.max_new_tokens": 24, **fields}.items():
        recipe = put(recipe, path, value)
    target = workspace / "recipe.yaml"
    save(recipe, target)
    return target


def test_train_waits_shows_the_losses_and_ends_with_0(tmp_path: Path, warm: WarmPython) -> None:
    done = tunedeck(tmp_path, "train", str(recipe_file(tmp_path)), "--set", "training.max_steps=6", "--name", "short")
    assert done.returncode == 0, done.stderr
    assert "eval loss: base" in done.stdout
    assert "step 6 of 6, eval loss " in done.stdout.splitlines()[-1]
    (run,) = tunedeck_json(tmp_path, "runs")
    assert run["state"] == "finished"
    assert run["step"] == run["of"] == 6
    assert set(run) >= {"id", "state", "folder"}
    assert (Path(run["folder"]) / "adapter" / "adapter_model.safetensors").exists()

    text = tunedeck(tmp_path, "tail", "--once")
    assert text.returncode == 0
    assert "step      6" in text.stdout
    records = [json.loads(line) for line in tunedeck(tmp_path, "tail", "short", "--once", "--json").stdout.splitlines()]
    assert [record["step"] for record in records if record["type"] == "metric" and "loss" in record] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    attached = tunedeck(tmp_path, "attach", "short", "--json").stdout.splitlines()
    assert [json.loads(line) for line in attached] == records, "an attach without a screen"
    assert {"type", "id", "state", "step", "of", "message"} == set(records[-1])
    assert (records[-1]["id"], records[-1]["state"]) == (run["id"], "finished")


@pytest.fixture
def long_run(tmp_path: Path, warm: WarmPython) -> Iterator[JobFolder]:
    """A run of some minutes that has just begun to train; ended by force if the test leaves it."""
    recipe = recipe_file(
        tmp_path, **{"training.max_steps": 50_000, "training.eval_every": 10_000, "training.save_every": 10_000}
    )
    started = tunedeck(tmp_path, "train", str(recipe), "--detach", "--json")
    assert started.returncode == 0, started.stderr
    folder = JobFolder(json.loads(started.stdout)["folder"])
    until(lambda: (standing(folder).status.step or 0) >= 2, "the first steps", 120)
    yield folder
    if not standing(folder).over:
        tunedeck(tmp_path, "stop", "--now")


def test_stop_saves_and_ends_and_whoever_waits_gets_3(tmp_path: Path, long_run: JobFolder) -> None:
    watcher = subprocess.Popen(
        [*TUNEDECK, "tail"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENV}
    )
    done = tunedeck(tmp_path, "stop", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"id": long_run.id, "state": "stopped", "folder": str(long_run.path)}
    watcher.communicate(timeout=60)
    assert watcher.returncode == 3
    assert (long_run.adapter / "adapter_model.safetensors").exists()
    again = tunedeck(tmp_path, "stop")
    assert again.returncode == 2
    assert "not running" in again.stderr


def test_ctrl_c_stops_watching_not_the_run(tmp_path: Path, warm: WarmPython) -> None:
    recipe = recipe_file(
        tmp_path, **{"training.max_steps": 50_000, "training.eval_every": 10_000, "training.save_every": 10_000}
    )
    watcher = subprocess.Popen(
        [*TUNEDECK, "train", str(recipe)], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENV}
    )
    folders = until(lambda: [path.parent for path in tmp_path.glob("runs/*/job.json")], "the run's folder", 60)
    folder = JobFolder(folders[0])
    assert watcher.stdout is not None
    first = next(line for line in watcher.stdout if line.startswith("step"))  # now it watches
    assert "loss" in first
    watcher.send_signal(signal.SIGINT)
    said = watcher.stdout.read()
    assert watcher.wait(timeout=60) == 130
    assert f"tunedeck attach {folder.id}" in said
    at = standing(folder).status.step or 0
    until(lambda: (standing(folder).status.step or 0) > at, "the run to go on", 60)
    assert tunedeck(tmp_path, "stop", "--now").returncode == 0


def test_scan_prints_the_facts_of_the_planted_faults(tmp_path: Path) -> None:
    train, held_out = SAMPLE_DATA / "support_train.jsonl", SAMPLE_DATA / "support_eval.jsonl"
    facts = tunedeck_json(tmp_path, "scan", str(train), "--eval", str(held_out))
    assert facts["format"] == "messages"
    assert facts["rows"] == sum(1 for _ in train.open("rb")) - 1
    planted = json.loads((SAMPLE_DATA / "FAULTS.json").read_text())
    broken = [fault["line"] for fault in planted["faults"] if fault["kind"] == "bad_line"]
    assert [bad["line"] for bad in facts["bad_lines"]] == broken
    assert set(facts["bad_lines"][0]) == {"file", "line", "reason"}
    for flag in ("exact_duplicate", "empty_answer", "role_order", "leak_exact", "control_characters"):
        assert facts["flags"][flag] == planted["counts"][flag], flag


LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["scan", "missing.jsonl"], "no such file"),
        (["scan", "empty.jsonl"], "empty"),
        (["scan", "folder"], "no data"),
        (["scan", "pointer.jsonl"], "Git LFS"),
        (["train", "missing.yaml"], "No such file"),
        (["train", "broken.yaml"], "broken.yaml"),
        (["train", "no_weights.yaml"], "weights"),
        (["tail"], "No runs"),
        (["attach", "nothing"], "No runs"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pointer.jsonl").write_text(LFS)
    (tmp_path / "broken.yaml").write_text("lora:\n  rnak: 3\n")
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (model / name).write_bytes((SAMPLE_DATA / "tiny_base" / name).read_bytes())
    recipe = put(load(SAMPLE_DATA / "recipe.yaml"), "model.path", str(model))
    save(recipe, tmp_path / "no_weights.yaml")
    done = tunedeck(tmp_path, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stderr.rstrip().endswith((".", "?"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_core_of_the_users_own_is_never_picked_up(tmp_path: Path) -> None:
    """A `core` package lies in the working directory and on PYTHONPATH; the workers start cold, as for users."""
    for place in (tmp_path / "core", tmp_path / "elsewhere" / "core"):
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("raise SystemExit('the wrong core')\n")
    path = os.pathsep.join([str(ROOT), str(tmp_path / "elsewhere"), "."])
    recipe = recipe_file(tmp_path, **{"training.max_steps": 2})
    done = tunedeck(
        tmp_path,
        "train",
        str(recipe),
        PYTHONPATH=path,
        PYTHONSAFEPATH="1",
        TUNEDECK_PYTHON="",
        TUNEDECK_KEEPER_PYTHON="",
    )
    assert "the wrong core" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_app_without_a_terminal_says_what_to_use_instead(tmp_path: Path) -> None:
    done = tunedeck(tmp_path)
    assert done.returncode == 2
    assert "tunedeck scan" in done.stderr


def test_doctor_tells_what_is_installed_and_why_there_is_no_gpu(tmp_path: Path) -> None:
    facts = tunedeck_json(tmp_path, "doctor")
    assert facts["ok"] is True
    assert facts["packages"]["textual"]
    assert facts["gpus"] or facts["gpu_problem"].endswith(".")
    assert set(facts["files"]["themes"]) == {"dark", "light", "terminal"}
