"""The end of a watched run rings in a real terminal, also through tmux; an end of long ago does not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from core.jobs.folder import JobFolder
from tests.kit.run_folders import make_run
from tests.kit.terminal import Terminal
from tests.kit.walk import ENV, TUNEDECK, open_deck

SAID = re.compile(rb"\x1b\]9;tunedeck: support-tone\S* finished after [\d:]+\x07")


def end(folder: JobFolder) -> None:
    folder.write_status(state="finished", phase="done", ended=time.time())


def reported(terminal: Terminal) -> int:
    """Notifications of the end."""
    return len(SAID.findall(terminal.raw))


def bells(terminal: Terminal) -> int:
    """Bells that are no end of a title or a notification."""
    return re.sub(rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", b"", terminal.raw).count(b"\x07")


def test_a_run_that_ends_before_the_eyes_rings_once_and_one_that_had_ended_does_not(tmp_path: Path) -> None:
    old, folder = make_run(tmp_path), make_run(tmp_path)
    end(old)
    with open_deck(tmp_path, "attach", old.path.name) as terminal:
        terminal.wait_for("finished after")
        terminal.send("6")
        terminal.wait_for("2 runs, 1 active")
        terminal.send("enter")  # the newest is the first
        terminal.wait_for("stage 1 of 2")
        assert (reported(terminal), bells(terminal)) == (0, 0)
        end(folder)
        terminal.wait_for("finished after")
        terminal.send("6")
        terminal.wait_for("2 runs, newest")
        terminal.send("3")
        terminal.wait_for("4 to see the result")
        terminal.wait_for("HEALTHY")
        assert (reported(terminal), bells(terminal)) == (1, 1)


@pytest.mark.slow
def test_the_notification_goes_through_tmux(tmp_path: Path) -> None:
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not here")
    folder = make_run(tmp_path)
    server = [tmux, "-S", os.fspath(tmp_path / "tmux"), "-f", "/dev/null"]
    environment = {**os.environ, **ENV, "LC_ALL": "C.UTF-8"}
    words = [*TUNEDECK, "attach", folder.path.name]
    subprocess.run(
        [*server, "new-session", "-d", "-x", "80", "-y", "24", *words], cwd=tmp_path, env=environment, check=True
    )
    try:
        subprocess.run([*server, "set", "-g", "allow-passthrough", "on"], check=True)
        with Terminal([*server, "attach"], cwd=tmp_path) as terminal:
            terminal.wait_for("60 of 100")
            end(folder)
            terminal.wait_for("finished after")
            terminal.wait_until(lambda _: bool(reported(terminal)), what="the notification")
            assert reported(terminal) == 1
    finally:
        subprocess.run([*server, "kill-server"], check=False)
