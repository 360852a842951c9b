"""Nothing that lies in a folder runs by itself: not for a list, a look or a start, and only once the user said yes.

Hostile folders are made as somebody could send or leave them; each names a command that makes the file `X`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, JobFailed
from core.jobs import files, process, requests, trust
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.queue import Queue
from core.jobs.queue_runner import entry_of
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.jobs.takeover import KeeperTakeover, notify_unseen_ends
from core.jobs.trust import CODE, COMMAND, FOREIGN, ConsentRequest, NotAgreed, workspace_ask
from core.paths import ROOT
from core.recipe.asks import asks_of
from core.recipe.recipe import Recipe, put, to_json
from core.runs.consent import check_start
from core.runs.queueing import pick_up
from tests.kit.jobs_worker import command
from tests.kit.queued_runs import use_stand_ins, wait_in
from tests.kit.real_jobs import running
from tests.kit.training_runs import events
from tests.kit.waiting import until
from tui.cli import main

DEAD = {"pid": 2**22 - 1, "start_time": 1, "boot_id": "another"}


@pytest.fixture(autouse=True)
def own_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with a user who has agreed to nothing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that no hostile folder may make."""
    return tmp_path / "X"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace; whatever was started in it is ended with the test."""
    path = tmp_path / "workspace"
    path.mkdir()
    yield path
    try:
        runner = Queue(path).read().runner
    except BadInput:
        runner = None
    runs = [JobFolder(found) for found in (path / "runs").iterdir()] if (path / "runs").is_dir() else []
    keepers = [process.from_json(run.read_job().get("keeper")) for run in runs if run.exists()]
    for one in (runner, *keepers, *(run.read_status().worker for run in runs)):
        if one is not None:
            process.send(one, signal.SIGKILL, group=True)


def hostile(workspace: Path, mark: Path, *, state: str = "running", **job: Any) -> JobFolder:
    """A run that names its command wherever a file may name one."""
    touch = ["touch", str(mark)]
    recipe = put(put(Recipe(), "training.devices", "cpu"), "reporting.at_end", shlex.join(touch))
    payload = {
        "recipe": to_json(recipe),
        "at_end": {"module": "this", "targets": [shlex.join(touch)], "seconds": 20},
        "python": str(mark.with_name("python")),
    }
    folder = JobFolder.create(workspace / "runs", "sent", "training", payload=payload)
    folder.write_job(
        {
            **folder.read_job(),
            "keeper": DEAD,
            "stages": [touch, touch],
            "env": {"PATH": str(mark.parent), "TUNEDECK_PYTHON": str(mark.with_name("python"))},
            "keeper_python": str(mark.with_name("python")),
            "cwd": str(mark.parent),
            **job,
        }
    )
    folder.write_status(state=state, phase="training", worker=DEAD, started=1.0, stages=2)
    python = mark.with_name("python")
    python.write_text(f'#!/bin/sh\ntouch "{mark}"\n')
    python.chmod(0o755)
    return folder


def queued(workspace: Path, mark: Path) -> JobFolder:
    """A hostile run that waits in a queue without a runner."""
    folder = hostile(workspace, mark, state="queued", keeper=None)
    Queue(workspace).add(entry_of(folder, ("cpu",)))
    return folder


LOOKS = (
    ["runs"],
    ["runs", "--json"],
    ["queue"],
    ["queue", "--json"],
    ["tail", "--once", "last"],
    ["resume", "last"],
    ["resume", "last", "--allow-command"],
    ["stop", "last", "--timeout", "1"],
    ["stop", "last", "--now", "--timeout", "1"],
    ["pause", "last", "--timeout", "1"],
    ["save", "last", "--timeout", "1"],
)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
@pytest.mark.parametrize("make", [hostile, queued])
def test_no_command_runs_what_lies_in_an_unknown_workspace(
    make: Any, words: list[str], workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(workspace, mark)
    monkeypatch.chdir(workspace)
    main(words)
    assert not mark.exists()
    assert not (folder.path / "keeper.log").exists(), "no keeper was started"
    assert Queue(workspace).read().runner is None


@pytest.mark.parametrize("words", [["runs"], ["queue"]], ids=" ".join)
def test_a_sent_run_in_a_workspace_of_ones_own_is_not_obeyed_either(
    words: list[str], workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_ask(workspace).agree()
    folder = hostile(workspace, mark)
    monkeypatch.chdir(workspace)
    assert main(words) == 0
    notify_unseen_ends(list_runs(workspace))
    assert not mark.exists()
    assert not (folder.path / ".told").exists()


def test_what_a_plain_start_looks_for_runs_nothing(workspace: Path, mark: Path) -> None:
    from tui.commands.open import _active_run

    workspace_ask(workspace).agree()
    folder = hostile(workspace, mark)
    ConsentRequest(COMMAND, shlex.join(["touch", str(mark)])).agree()
    assert _active_run(workspace) is None
    assert not (folder.path / ".told").exists()
    assert not mark.exists()


def test_the_queue_of_an_unknown_workspace_is_shown_with_how_to_trust_it_and_nothing_starts(
    workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = queued(workspace, mark)
    monkeypatch.chdir(workspace)
    assert main(["queue"]) == 0
    said = capsys.readouterr().out
    assert folder.id in said
    assert f"tunedeck trust {workspace}" in said
    for doing in ("start", "pause"):
        assert main(["queue", doing]) == 2
        assert "tunedeck trust" in capsys.readouterr().err
    assert not Queue(workspace).read().paused


def test_a_queue_that_is_trusted_runs_what_the_recipe_says_and_not_what_the_file_says(
    workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = queued(workspace, mark)
    (folder.path / "how").write_text("ends")
    use_stand_ins(workspace, monkeypatch)
    monkeypatch.chdir(workspace)
    assert main(["trust", str(workspace)]) == 0
    assert main(["queue"]) == 0
    until(lambda: standing(folder).over, "it has had its turn")
    assert standing(folder).state == "finished"
    assert folder.log.read_text() == "trained\n"
    until(lambda: events(folder, "at_end"), "its keeper says what became of the command")
    assert "not allowed" in events(folder, "at_end")[0]["message"]
    assert folder.read_job()["env"] == {"CUDA_VISIBLE_DEVICES": ""}
    assert not mark.exists()


def test_a_queued_job_that_is_no_training_fails_with_a_sentence(
    workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = queued(workspace, mark)
    folder.write_job({**folder.read_job(), "kind": "scan"})
    workspace_ask(workspace).agree()
    pick_up(workspace)
    until(lambda: standing(folder).over, "it has had its turn")
    assert "Not a training run" in standing(folder).detail
    assert not mark.exists()


def test_a_queue_leads_to_no_folder_outside_of_its_workspace(workspace: Path) -> None:
    (workspace / ".tunedeck").mkdir()
    file = workspace / ".tunedeck" / "queue.json"
    file.write_text(json.dumps({"version": 1, "runs": [{"id": "../../sent", "added": 1.0}]}))
    with pytest.raises(BadInput, match=r"\.\./\.\./sent"):
        Queue(workspace).read()


def test_a_killed_keepers_successor_runs_the_stages_of_the_first_whatever_was_written_meanwhile(
    workspace: Path, mark: Path
) -> None:
    workspace_ask(workspace).agree()
    folder = JobFolder.create(workspace / "runs", "mine", "training", payload={"recipe": {}})
    first = launch(folder, [command("kept", folder), command("ends", folder)])
    running(folder)
    touch = ["touch", str(mark)]
    sent = hostile(workspace, mark).read_job()
    folder.write_job({**folder.read_job(), "stages": [touch, touch], "keeper_python": sent["keeper_python"]})
    process.send(first, signal.SIGKILL)
    until(lambda: standing(folder).kept and events(folder, "alert"), "another keeper has taken over")
    (folder.path / "enough").touch()
    until(lambda: standing(folder).over, "both stages end")
    assert (standing(folder).state, folder.log.read_text()) == ("finished", "trained\n")
    assert not mark.exists()


def test_a_worker_that_knows_of_no_stages_gets_a_keeper_that_runs_none(workspace: Path, mark: Path) -> None:
    folder = hostile(workspace, mark, host=os.uname().nodename)
    worker = subprocess.Popen(["sleep", "60"], start_new_session=True)
    me = process.identify(worker.pid)
    assert me is not None
    folder.write_job({**folder.read_job(), "keeper": {**me.to_json(), "start_time": 1}})
    folder.write_status(worker=me.to_json())
    KeeperTakeover(folder, {**os.environ, "PYTHONPATH": str(ROOT)}).look()
    worker.kill()
    worker.wait()
    until(lambda: standing(folder).over, "the job ends")
    assert not mark.exists()


def test_stop_now_ends_no_process_that_a_strange_folder_names(workspace: Path, mark: Path) -> None:
    folder = hostile(workspace, mark)
    victim = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        who = process.identify(victim.pid)
        assert who is not None
        folder.write_status(worker=who.to_json())
        with pytest.raises(NotAgreed, match="tunedeck trust"):
            requests.ask(folder, requests.STOP_NOW)
        assert victim.poll() is None
        workspace_ask(workspace).agree()
        requests.ask(folder, requests.STOP_NOW)
        assert victim.wait(10) == -signal.SIGKILL
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("name", ["events.jsonl", "keeper.log", "output.log", "at_end.log"])
def test_no_line_is_written_through_a_link_that_lies_in_a_run(workspace: Path, name: str) -> None:
    workspace_ask(workspace).agree()
    outside = workspace / "profile"
    outside.write_text("kept\n")
    ConsentRequest(COMMAND, "echo said").agree()
    reported = {"targets": ["echo said"], "seconds": 5}
    folder = JobFolder.create(workspace / "runs", "sent", "training", payload={"recipe": {}, "at_end": reported})
    (folder.path / name).symlink_to(outside)
    with pytest.raises(JobFailed, match=r"keeper\.log") if name == "keeper.log" else nullcontext():
        keeper = launch(folder, [command("ends", folder)])
        until(lambda: standing(folder).over and not process.is_alive(keeper), "it ends")
    assert outside.read_text() == "kept\n"


def test_a_run_of_another_user_is_neither_resumed_nor_told_nor_started(
    workspace: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_ins(workspace, monkeypatch)
    mine = os.geteuid()
    folder = wait_in(Queue(workspace), "ends")
    real = os.stat

    def of_another(path: Any, *args: Any, **options: Any) -> os.stat_result:
        found = real(path, *args, **options)
        if os.fspath(path) == str(folder.job):
            return os.stat_result((*found[:4], mine + 1, *found[5:]))
        return found

    monkeypatch.setattr(trust.os, "stat", of_another)
    error = trust.refusal(folder)
    assert error is not None
    assert "not to you" in str(error)
    (said,) = pick_up(workspace)
    assert folder.id in said
    assert standing(folder).state == "queued"
    monkeypatch.setattr(trust.os, "stat", real)
    assert trust.refusal(folder) is None


def test_a_workspace_of_another_user_needs_a_yes_of_its_own(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace_ask(workspace).agree()
    assert trust.start_ask(workspace) is None
    monkeypatch.setattr(trust.os, "geteuid", lambda: os.getuid() + 1)
    ask = trust.start_ask(workspace)
    assert ask is not None
    assert (ask.kind, "not to you" in ask.question) == (FOREIGN, True)
    ask.agree()
    assert trust.start_ask(workspace) is None


def test_a_start_is_the_users_word_where_nothing_was_started_yet(workspace: Path, mark: Path) -> None:
    check_start(Recipe(), workspace)
    assert workspace_ask(workspace).agreed
    copied = workspace.with_name("copied")
    hostile(workspace, mark)
    shutil.copytree(workspace, copied)
    with pytest.raises(NotAgreed, match="copied here"):
        check_start(Recipe(), copied)
    assert not workspace_ask(copied).agreed
    linked = workspace.with_name("linked")
    linked.symlink_to(workspace)
    assert workspace_ask(linked).agreed, "one folder is known by all of its names"


def test_a_recipe_names_all_that_it_runs_and_a_yes_holds_for_exactly_that(workspace: Path) -> None:
    recipe = put(put(Recipe(), "reporting.at_end", " mail me "), "model.trust_remote_code", True)
    recipe = put(put(recipe, "model.path", "org/name"), "model.revision", "abc")
    assert [(ask.kind, ask.text) for ask in asks_of(recipe)] == [(COMMAND, "mail me"), (CODE, "org/name@abc")]
    with pytest.raises(NotAgreed) as caught:
        check_start(recipe, workspace)
    assert [ask.kind for ask in caught.value.asks] == [COMMAND, CODE]
    for words in ("mail me", "org/name@abc", "--allow-command", "--allow-code"):
        assert words in str(caught.value)
    for ask in caught.value.asks:
        ask.agree()
    check_start(recipe, workspace)
    with pytest.raises(NotAgreed):
        check_start(put(recipe, "reporting.at_end", "mail me too"), workspace)
    with pytest.raises(NotAgreed):
        check_start(put(recipe, "model.revision", "def"), workspace)


def test_the_users_own_settings_need_no_yes(workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tunedeck").mkdir()
    (tmp_path / "tunedeck" / "settings.toml").write_text('at_end = "notify me"\n')
    check_start(Recipe(), workspace)
    assert ConsentRequest(COMMAND, "notify me").agreed


def test_trust_says_what_a_recipe_runs_and_allows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("reporting:\n  at_end: mail me\n")
    assert main(["trust", str(recipe)]) == 0
    assert "mail me" in capsys.readouterr().out
    assert ConsentRequest(COMMAND, "mail me").agreed
    recipe.write_text("method: lora\n")
    assert main(["trust", str(recipe)]) == 0
    assert "nothing to allow" in capsys.readouterr().out
    assert main(["trust", str(tmp_path / "none")]) == 2


def test_a_state_folder_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(files.TunedeckError, match="XDG_STATE_HOME"):
        ConsentRequest(COMMAND, "mail me").agree()
    assert not ConsentRequest(COMMAND, "mail me").agreed
