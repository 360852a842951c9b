"""What a job does is said in words that are declared once: no status, event or error shows a module's name."""

from __future__ import annotations

import re

from core.jobs.status import from_json
from core.jobs.titles import TITLES, title_of
from tests.conftest import ROOT

_STARTED = re.compile(r'(?:worker_command\(|one_stage\(|"-m", |^_MODULE = |^WORKER = )"(core(?:\.\w+)+)"', re.MULTILINE)
_OTHERS = {
    "core.jobs.keeper",
    "core.engine.torchrun",
    "core.engine.encode_piece",
    "core.training.preview",
    "core.dataset.view.normal_rows",
    "core.dataset.near.worker_pool",
    "core.engine.hold_memory",
    "core.engine.rewards.trial",
    "core.training.script",
}
"""Started as processes, and no stages of a job."""


def test_every_module_that_is_a_stage_of_a_job_has_a_title() -> None:
    started = {name for path in (ROOT / "core").rglob("*.py") for name in _STARTED.findall(path.read_text())}
    assert started - _OTHERS == set(TITLES)


def test_a_title_is_found_behind_torchrun_and_for_what_has_none() -> None:
    assert title_of(["python", "-m", "core.engine.torchrun", "2", "-m", "core.training", "runs/x"]) == "Training"
    assert title_of(["/bin/true"]) == "Running true"
    assert title_of(["python", "-m", "tests.kit.jobs_worker", "x"]) == "Running jobs_worker"


def test_a_status_says_what_is_being_done_and_how_far_it_is() -> None:
    status = {"phase": "Building the training set", "step": 42_043, "of": 46_375, "unit": "rows"}
    assert from_json(status).doing == "Building the training set: 42,043 of 46,375 rows"
    assert from_json({**status, "unit": None}).doing == "Building the training set: 42,043 of 46,375"
    assert from_json({**status, "of": None}).doing == "Building the training set"
