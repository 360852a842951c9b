"""What a running job is asked for, by viewers and by signals, and what its keeper ends. Real keepers, real workers."""

from __future__ import annotations

import os
import signal

from core.jobs import process, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.state import standing
from core.jobs.trust import workspace_ask
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import answers, ended, events, folder, running, started
from tests.kit.waiting import until

__all__ = ["folder"]


def test_stop_now_of_a_worker_without_keeper_ends_it(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    started(folder)
    process.send(keeper, signal.SIGKILL)
    until(lambda: not process.is_alive(keeper), "the keeper is gone")
    os.kill(int((folder.path / "child.pid").read_text()), signal.SIGKILL)
    workspace_ask(folder.path.parents[1]).agree()
    requests.ask(folder, "stop-now")
    until(lambda: not process.is_alive(folder.read_status().worker), "the worker is gone")
    assert standing(folder).state == "stopped"


def test_stop_is_answered_and_no_later_stage_begins(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder), command("ends", folder)])
    running(folder)
    requests.ask(folder, "stop")
    now = ended(folder)
    assert now.state == "stopped"
    assert now.detail.startswith("Saved at step ")
    assert answers(folder, "stop") == ["received", "done"]
    assert "trained" not in folder.log.read_text()
    assert folder.requested() == ()


def test_save_is_answered_and_the_run_goes_on(folder: JobFolder) -> None:
    launch(folder, [command("steps", folder)])
    running(folder)
    requests.ask(folder, "save")
    until(lambda: answers(folder, "save") == ["received", "done"], "the worker has answered")
    assert standing(folder).state == "running"
    (folder.path / "enough").touch()
    ended(folder)


def test_stop_now_ends_a_deaf_worker_and_all_its_children(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    worker = started(folder)
    child = process.identify(int((folder.path / "child.pid").read_text()))
    assert process.is_alive(child)
    requests.ask(folder, "save")
    requests.ask(folder, "stop-now")
    now = ended(folder)
    assert (now.state, now.status.signal) == ("stopped", 9)
    assert not process.is_alive(worker)
    assert not process.is_alive(child), "a rank in a session of its own was left behind"
    assert answers(folder, "stop-now") == ["received", "done"]
    assert answers(folder, "save") == ["refused"], "what nobody did is not left unanswered"
    assert folder.requested() == ()
    until(lambda: not process.is_alive(keeper), "the keeper ends")


def test_child_that_a_failed_worker_leaves_behind_is_ended(folder: JobFolder) -> None:
    launch(folder, [command("leaves_child", folder)])
    assert ended(folder).state == "failed"
    pid = int((folder.path / "child.pid").read_text())
    assert process.identify(pid) is None
    assert any(event["kind"] == "alert" and event["pids"] == [pid] for event in events(folder))


def test_termination_of_the_keeper_is_stop_and_save(folder: JobFolder) -> None:
    keeper = launch(folder, [command("steps", folder)])
    running(folder)
    process.send(keeper, signal.SIGTERM)
    now = ended(folder)
    assert now.state == "stopped"
    assert now.detail.startswith("Saved at step ")


def test_second_termination_of_the_keeper_is_now(folder: JobFolder) -> None:
    keeper = launch(folder, [command("deaf", folder)])
    started(folder)
    process.send(keeper, signal.SIGTERM)
    until(lambda: "stop" in folder.requested(), "the first is passed on as a request")
    process.send(keeper, signal.SIGTERM)
    assert ended(folder).state == "stopped"
