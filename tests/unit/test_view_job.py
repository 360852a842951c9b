"""The curated view, built by a job: the same as it is built anywhere, told in words, cancelled, and refused alike."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from core.dataset.scan.scan import ScanStopped
from core.dataset.view.view import CuratedView
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.recipe.recipe import Recipe, put
from core.runs import view_job
from core.runs.curate import curate
from tests.kit.waiting import until
from tests.unit.test_near_similarity import sentence


def recipe_on(folder: Path, count: int = 300) -> Recipe:
    made = random.Random(1)
    rows = [{"prompt": sentence(made, 20), "completion": sentence(made, 9)} for _ in range(count)]
    rows += [{**row, "completion": row["completion"] + "."} for row in rows[::3]]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return put(Recipe(), "data.train", (str(data),))


def jobs(workspace: Path) -> list[JobFolder]:
    return [JobFolder(path) for path in sorted((workspace / ".tunedeck" / "jobs").glob("*-view-*"))]


def texts(view: CuratedView) -> tuple[bytes, ...]:
    return tuple((view.folder / name).read_bytes() for name in ("train.jsonl", "eval.jsonl", "left_out.jsonl"))


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_job, "_SMALL", 0)


def test_a_view_is_the_same_whichever_process_builds_it_and_is_built_once(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path)
    reported: list[str] = []
    view = view_job.view_of(recipe, tmp_path / "job", lambda phase, done, of: reported.append(phase), lambda: False)
    (job,) = jobs(tmp_path / "job")
    assert standing(job).state == "finished"
    assert reported, "something is said meanwhile"
    assert set(reported) <= {"starting", "done", "Building the training set"} | {
        words for words in reported if words.startswith("Finding near-duplicates (")
    }
    here = curate(recipe, tmp_path / "here")
    assert texts(view) == texts(here)
    assert view.fingerprint == here.fingerprint
    assert view.eval_count > 10
    again = view_job.view_of(recipe, tmp_path / "job", lambda *_: None, lambda: False)
    assert again.folder == view.folder
    assert len(jobs(tmp_path / "job")) == 1


def test_a_start_that_is_cancelled_ends_the_job_and_leaves_no_view(tmp_path: Path) -> None:
    recipe = recipe_on(tmp_path, 4_000)
    with pytest.raises(ScanStopped):
        view_job.view_of(recipe, tmp_path, lambda *_: None, lambda: True)
    (job,) = jobs(tmp_path)
    until(lambda: standing(job).over, "the job ends")
    assert standing(job).state == "stopped"
    assert not list((tmp_path / ".tunedeck").glob("views/*/manifest.json"))


def test_what_is_wrong_with_the_data_is_said_as_if_it_had_been_read_here(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"prompt": "q", "completion": ""}\n' * 3)
    recipe = put(Recipe(), "data.train", (str(data),))
    with pytest.raises(BadInput) as here:
        curate(recipe, tmp_path / "here")
    with pytest.raises(BadInput) as there:
        view_job.view_of(recipe, tmp_path / "there", lambda *_: None, lambda: False)
    assert str(there.value) == str(here.value)
