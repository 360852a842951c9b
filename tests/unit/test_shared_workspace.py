"""A workspace that a group shares: modes follow the umask, and runs of others can be stopped or only be looked at."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs import access, process, requests
from core.jobs.access import owner, read_only, refuse_foreign
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.queue import Queue
from core.jobs.queue_runner import update_waiting_runs
from core.jobs.remove import remove
from core.jobs.runs import run_info
from core.runs.resume import plan_resume
from core.verdict.run_list import RunLine
from tests.kit.queued_runs import wait_in
from tests.kit.run_folders import finished_run, make_run
from tests.kit.users import run_as
from tui.cli import main
from tui.runs.delete import question
from tui.runs.rows import cells, summary

IMPORTS = """
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from core.dataset.audit.store import DecisionStore
from core.dataset.view.plan import build_view
from core.dataset.view.view import link_view
from core.engine.worker import Worker
from core.errors import BadInput
from core.jobs import process, requests
from core.jobs.derived import Derived
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.queue import Queue, QueuedRun
from core.runs.checkpoint import seal
from core.runs.token_facts import TokenFactsWriter
from core.training.saving import write_whole
from tests.kit.run_folders import make_run
"""
WRITE = """
workspace = Path(arguments[0])
folder = make_run(workspace, state="queued")
requests.ask(make_run(workspace), "stop")
Queue(workspace).add(QueuedRun(folder.id, 1.0))
link_view(build_view(workspace, paths=[arguments[1]]), folder.path)
def write(place):
    place.mkdir()
    save_file({"a": np.zeros(4)}, place / "adapter_model.safetensors")
    seal(place, {})
write_whole(Worker(folder), folder.checkpoints / "checkpoint-5", write)
TokenFactsWriter(workspace / ".tunedeck" / "tokens" / "a-b", {}).close()
store = DecisionStore(workspace)
store.decide("key", "drop").result()
store.close()
"""
ANNA, BERT, GROUP = 54_321, 54_322, 54_320


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that two users reach; pytest's own can be entered by one alone."""
    folder = Path(tempfile.mkdtemp(prefix="shared-workspace-"))
    folder.chmod(0o2775)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_all_that_is_written_follows_the_umask(tmp_path: Path, umask: int) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 4)
    workspace = tmp_path / "work"
    workspace.mkdir(mode=0o700)
    run_as(WRITE, workspace, data, imports=IMPORTS, umask=umask)
    wrong = {}
    for where, folders, names in os.walk(workspace):
        for name in (*folders, *names):
            path = Path(where, name)
            mode = stat.S_IMODE(path.stat().st_mode) & 0o777
            right = (0o777 if path.is_dir() else 0o444 if {"views", "data"} & set(path.parts) else 0o666) & ~umask
            if mode != right:
                wrong[str(path.relative_to(workspace))] = oct(mode)
    assert wrong == {}
    assert (workspace / ".tunedeck" / "decisions.sqlite").exists()
    assert len(list(workspace.glob("runs/*/data/train.jsonl"))) == 1
    assert len(list(workspace.glob("runs/*/checkpoints/checkpoint-5/tunedeck.json"))) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
@pytest.mark.slow
def test_a_group_stops_each_others_runs_and_others_may_only_look(shared: Path) -> None:
    os.chown(shared, ANNA, GROUP)
    shared.chmod(0o2775)
    made = """
folder = make_run(Path(arguments[0]))
folder.write_job({**folder.read_job(), "keeper": process.identify(int(arguments[1])).to_json()})
print(folder.id)
"""
    alive = str(os.getpid())  # in the keeper's place
    both = run_as(made, shared, alive, imports=IMPORTS, umask=0o002, uid=ANNA, gid=GROUP).strip()
    own = run_as(made, shared, alive, imports=IMPORTS, umask=0o022, uid=ANNA, gid=GROUP).strip()
    stop = """
folder = JobFolder(Path(arguments[0]) / "runs" / arguments[1])
try:
    requests.ask(folder, "stop")
    folder.append_event("alert", "from a colleague")
    folder.write_status(message="from a colleague")
except BadInput as error:
    print(error)
"""
    assert run_as(stop, shared, both, imports=IMPORTS, umask=0o002, uid=BERT, gid=GROUP) == ""
    folder = JobFolder(shared / "runs" / both)
    assert folder.requested() == ("stop",)
    assert folder.read_status().message == "from a colleague"
    said = run_as(stop, shared, own, imports=IMPORTS, umask=0o002, uid=BERT, gid=GROUP)
    assert "read-only" in said
    assert str(ANNA) in said
    assert JobFolder(shared / "runs" / own).requested() == ()
    with pytest.raises(BadInput, match=str(ANNA)):  # root can write there, and starts nothing of another user's
        refuse_foreign(folder)


def test_a_run_that_is_read_only_says_so_before_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path)
    assert read_only(folder) == ""
    monkeypatch.setattr(access, "_writable", lambda path: False)  # nothing else keeps root out
    assert read_only(folder) == "you cannot write to its folder"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert owner(folder.path) in read_only(folder)
    assert run_info(folder).read_only == Follower(folder).poll().read_only == read_only(folder)
    line = RunLine(run_info(folder))
    assert any("(read-only)" in text for text, _ in cells(line, ""))
    assert summary([line], 1, paused=False).endswith("1 active, 1 read-only")
    done = finished_run(tmp_path)
    ([[(said, _)]], possible) = question(run_info(done))
    assert ("read-only" in said, possible) == (True, False)
    with pytest.raises(BadInput, match="read-only"):
        remove(done)
    assert done.exists()
    for name in requests.NAMES:
        with pytest.raises(BadInput, match=f"read-only for you: it belongs to {owner(folder.path)}"):
            requests.ask(folder, name)
    with pytest.raises(BadInput, match="read-only"):
        plan_resume(folder)
    assert folder.requested() == ()
    for command in ("stop", "pause", "save"):
        assert main([command, folder.id, "--workspace", str(tmp_path)]) == 2
        assert "read-only" in capsys.readouterr().err
    assert main(["runs", "--workspace", str(tmp_path)]) == 0
    assert "read-only" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a run to another user")
def test_the_queue_keeps_its_order_among_users_and_each_runner_starts_its_own(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    theirs, ours = (wait_in(queue, "ends", name=name) for name in ("theirs", "ours"))
    for path in (theirs.path, *theirs.path.rglob("*")):
        os.chown(path, ANNA, GROUP)
    update_waiting_runs(tmp_path)
    assert "about to start" in ours.read_status().message, "nobody would start a run whose user has no runner"
    before = theirs.read_status().message
    with queue.locked() as now:
        queue.write(replace(now, others={ANNA: process.identify(os.getpid())}))
    assert queue.read().runner is None
    update_waiting_runs(tmp_path)
    assert ours.read_status().message == f"Number 2 in the queue: waiting for the CPU (in use by {theirs.id})."
    assert theirs.read_status().message == before
    assert queue.runner_lock.name == ".queue-runner.lock"
    os.chown(tmp_path, ANNA, GROUP)
    assert queue.runner_lock.name == f".queue-runner-{os.geteuid()}.lock"
