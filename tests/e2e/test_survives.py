"""Whatever happens to those who watch a real run, it goes on with the same processes; SIGTERM saves and ends it."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.runs.resume import plan_resume
from tests.e2e.test_pause import live, steps
from tests.kit.terminal import Terminal
from tests.kit.waiting import until
from tests.kit.walk import open_deck

__all__ = ["live"]


def quit_app(terminal: Terminal) -> None:
    terminal.send("q")
    assert terminal.wait_exit() == 0


def hang_up(terminal: Terminal) -> None:
    terminal.kill(signal.SIGHUP)
    assert terminal.wait_exit() != 0


def lose_the_connection(terminal: Terminal) -> None:
    terminal.close()
    assert terminal.wait_exit() != 0


def kill(terminal: Terminal) -> None:
    terminal.kill()
    assert terminal.wait_exit() == -signal.SIGKILL


def stop_the_process(terminal: Terminal) -> None:
    terminal.kill(signal.SIGSTOP)
    until(lambda: Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")


def stop_reading(terminal: Terminal) -> None:
    """More is drawn than a pseudo-terminal holds, and nobody takes it."""
    os.write(terminal._fd, b"l" * 60)


def test_a_run_goes_on_whatever_happens_to_its_viewers(live: JobFolder) -> None:
    keeper, worker = process.from_json(live.read_job()["keeper"]), live.read_status().worker
    events = (quit_app, hang_up, lose_the_connection, kill, stop_the_process, stop_reading)
    with ExitStack() as stack:
        viewers = [stack.enter_context(open_deck(live.path.parents[1], "attach", live.id)) for _ in events]
        for viewer in viewers:
            viewer.wait_for("3 TRAIN")
        for event, viewer in zip(events, viewers, strict=True):
            event(viewer)
            seen = steps(live)[-1]
            until(lambda seen=seen: steps(live)[-1] > seen + 1, f"it goes on after: {event.__name__}")  # type: ignore[misc]
            assert process.is_alive(keeper)
            assert process.is_alive(worker)
        viewers[-1].wait_for("3 TRAIN")
        viewers[-1].settle(0.05)
        assert viewers[-1].alive, "the one that was not read goes on, too"
    found = steps(live)
    assert found == list(range(1, len(found) + 1))
    # As a scheduler ends a job: all of its processes get the signal.
    assert keeper is not None
    assert worker is not None
    for one in (worker, keeper):
        process.send(one, signal.SIGTERM)
    until(lambda: standing(live).over, "it saves and ends")
    assert standing(live).state == "stopped"
    assert plan_resume(live).step == steps(live)[-1]
    assert (live.adapter / "adapter_model.safetensors").exists()
