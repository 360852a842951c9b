"""A process is known by pid, start time and boot id; anything else is somebody else's."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest

from core.jobs import process
from tests.kit.waiting import until


def test_identity_survives_its_json_form() -> None:
    me = process.identify(os.getpid())
    assert me is not None
    assert process.is_alive(me)
    assert process.from_json(me.to_json()) == me
    assert process.from_json({"pid": 1}) is None
    assert process.from_json(None) is None


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_reused_pid_is_neither_alive_nor_signalled(change: dict[str, object]) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        now = process.identify(child.pid)
        assert now is not None
        before = replace(now, **change)  # type: ignore[arg-type]
        assert not process.is_alive(before)
        assert not process.send(before, signal.SIGKILL)
        assert child.poll() is None
        assert process.send(now, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def test_zombie_is_dead() -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    identity = process.identify(child)
    os.kill(child, signal.SIGKILL)
    try:
        until(lambda: not process.is_alive(identity), "the killed child counts as dead")
        assert os.path.exists(f"/proc/{child}"), "nobody has collected it yet"
        assert process.identify(child) is None
    finally:
        os.waitpid(child, 0)


def test_group_is_signalled_only_if_the_process_leads_it() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as shell:
        assert shell.stdout is not None
        sleeper = process.identify(int(shell.stdout.readline()))
        leader = process.identify(shell.pid)
        assert leader is not None
        assert process.is_alive(sleeper)
        assert process.send(leader, signal.SIGKILL, group=True)
        until(lambda: not process.is_alive(sleeper), "the whole group is gone")
