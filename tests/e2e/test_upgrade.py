"""A wheel of a higher version is installed over a live run: it goes on with the code that it began with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.recipe.recipe import put
from core.recipe.yamlfile import save
from tests.kit.training_runs import recipe
from tests.kit.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = ("core", "tui", "themes", "sample_data", "pyproject.toml", "README.md", "LICENSE")
HIGHER = "99.0"


def wheel(source: Path, out: Path) -> Path:
    """Builds the wheel of a source tree."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def higher_version(parent: Path) -> Path:
    """A source tree of a higher version whose workers end at once: whoever imports them has left the old version."""
    source = parent / "source"
    source.mkdir()
    for name in PACKAGED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    project = source / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "0.1.0"', f'version = "{HIGHER}"'))
    for worker in ("training", "evaluation"):
        (source / "core" / worker / "run.py").write_text(f"raise SystemExit('{worker} of the new version')\n")
    return source


def install(file: Path, target: Path) -> None:
    """Installs a wheel over what is there."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(target)]
    subprocess.run([*pip, str(file)], check=True, capture_output=True)


@pytest.mark.slow
def test_a_run_survives_an_upgrade_of_the_app(tmp_path: Path) -> None:
    app, workspace = tmp_path / "app", tmp_path / "work"
    workspace.mkdir()
    install(wheel(ROOT, tmp_path / "old"), app)
    rows = [f'{{"prompt": "question {n}", "response": "answer {n}, of course"}}' for n in range(48)]
    (workspace / "data.jsonl").write_text("\n".join(rows) + "\n")
    wanted = put(recipe(training__max_steps=30, training__devices="cpu"), "data.train", ("data.jsonl",))
    save(put(wanted, "evaluation.prompts", 1), workspace / "recipe.yaml")
    environment = {**os.environ, "PYTHONPATH": str(app), "HF_HUB_OFFLINE": "1"}

    def tunedeck(*words: str) -> str:
        command = [sys.executable, "-m", "tui.cli", *words]
        return subprocess.run(
            command, cwd=workspace, env=environment, check=True, capture_output=True, text=True
        ).stdout

    started = json.loads(tunedeck("train", "recipe.yaml", "--detach", "--json"))
    folder = JobFolder(started["folder"])
    assert not Path(folder.read_job()["core_path"]).is_relative_to(app)
    requests.ask(folder, requests.PAUSE)
    until(lambda: standing(folder).state == "paused" or standing(folder).over, "it holds", 120)
    assert standing(folder).state == "paused", folder.log.read_text()[-2000:]
    install(wheel(higher_version(tmp_path), tmp_path / "new"), app)
    assert HIGHER in tunedeck("--version") or list(app.glob(f"tunedeck-{HIGHER}*"))
    tunedeck("resume")
    until(lambda: standing(folder).over, "both stages end", 180)
    assert standing(folder).state == "finished", folder.log.read_text()[-2000:]
    assert (folder.evaluation / "summary.json").exists()
    assert [run["state"] for run in json.loads(tunedeck("runs", "--json"))] == ["finished"]
