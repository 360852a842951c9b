"""Machines that end a user's processes at logout are known as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.jobs.logout import ends_processes

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"


@pytest.mark.parametrize(
    ("cgroup", "main", "part", "user", "ends"),
    [
        (SESSION, "[Login]\n#KillUserProcesses=yes\n", "", "ann", False),
        (SESSION, "[Login]\nKillUserProcesses=yes\n", "", "ann", True),
        (SESSION, "[Login]\nKillUserProcesses=yes\n", "", "root", False),
        (SESSION, "KillUserProcesses=no\n", "[Login]\nKillUserProcesses = yes\n", "ann", True),
        (SESSION, "KillUserProcesses=yes\n", "KillUserProcesses=no\n", "ann", False),
        (SESSION, "KillUserProcesses=yes\nKillExcludeUsers=root ann\n", "", "ann", False),
        (SESSION, "KillUserProcesses=yes\nKillOnlyUsers=bob\n", "", "ann", False),
        (SESSION, "", "", "ann", False),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.scope\n", "KillUserProcesses=yes\n", "", "ann", False),
        ("", "KillUserProcesses=yes\n", "", "ann", False),
    ],
)
def test_logind_is_read_as_it_reads_itself(
    tmp_path: Path, cgroup: str, main: str, part: str, user: str, ends: bool
) -> None:
    texts = {"proc/self/cgroup": cgroup, "etc/systemd/logind.conf": main, "usr/lib/systemd/logind.conf.d/50.conf": part}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert ends_processes(user, f"{tmp_path}/") is ends


def test_a_machine_without_systemd_ends_nothing(tmp_path: Path) -> None:
    assert not ends_processes("ann", f"{tmp_path}/")
