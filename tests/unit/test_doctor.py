"""What `tunedeck doctor` finds, and the command that it offers for each finding; GPUs with the real pynvml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.gpu.nvml import DriverVersion
from core.paths import ROOT
from core.recipe.worker_packages import TorchBuild
from tests.kit import nvml
from tests.kit.training_python import python_with_torch
from tui.commands import doctor
from tui.commands.doctor_finding import DoctorFinding
from tui.commands.doctor_gpu import examine_gpus
from tui.commands.doctor_hub import examine_hub
from tui.commands.doctor_terminal import examine_terminal

GPUS = [{"index": 0, "name": "A100"}, {"index": 1, "name": "A100"}]


@pytest.mark.parametrize(
    ("built", "driver", "fault", "wheels"),
    [
        ("", (13, 0), "built without CUDA and cannot use GPU 0, GPU 1", "cu130"),
        ("", (12, 4), "built without CUDA and cannot use GPU 0, GPU 1", "cu128"),
        ("", None, "built without CUDA and cannot use GPU 0, GPU 1", "cu128"),
        ("13.0", (12, 4), "only CUDA 12.4", "cu128"),
        ("12.8", (11, 8), "only CUDA 11.8", ""),  # no torch of today runs on it: the driver must be updated
        ("12.8", (12, 4), "", ""),  # within a major number, every build runs on every driver
        ("12.8", (13, 0), "", ""),
        ("13.0", None, "", ""),
    ],
)
def test_gpus_driver_and_torch_must_fit_and_the_doctor_says_what_to_install(
    built: str, driver: tuple[int, int] | None, fault: str, wheels: str
) -> None:
    known = None if driver is None else DriverVersion("550.54.14", driver)
    found = examine_gpus(GPUS, known, TorchBuild("2.13.0", built), "/opt/env/bin/python")
    assert [fault in each.message for each in found] == ([True] if fault else [])
    for each in found:
        assert each.level == "problem"
        assert wheels in each.fix
        assert bool(wheels) == each.fix.startswith("/opt/env/bin/python -m pip install")
    assert examine_gpus([], known, TorchBuild("2.13.0", built), "python") == []


def test_the_doctor_reads_the_real_driver_and_torch_and_fails_where_they_do_not_fit(
    nvml_library: Path, tmp_path: Path
) -> None:
    (tmp_path / "readings.txt").write_text(
        "driver gpus 2\ndriver version 550.54.14\ndriver cuda 12040\n"
        "0 uuid GPU-0\n0 name A100\n1 uuid GPU-1\n1 name A100\n"
    )
    environment = {
        **os.environ,
        **nvml.environment(nvml_library, tmp_path / "readings.txt"),
        "TUNEDECK_PYTHON": python_with_torch(tmp_path, "2.13.0", cuda="13.0"),
        "PYTHONPATH": os.fspath(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "doctor", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["ok"], facts["can_train_on_gpu"]) == (False, False)
    assert facts["driver"] == {"version": "550.54.14", "cuda": "12.4"}
    assert facts["torch"] == {"version": "2.13.0", "built_for": "13.0"}
    (fault,) = [each for each in facts["findings"] if each["level"] == "problem"]
    assert "only CUDA 12.4" in fault["message"]
    assert any("only CUDA 12.4" in problem and fault["fix"] in problem for problem in facts["problems"])


def test_what_is_printed_has_the_fix_below_each_problem(capsys: pytest.CaptureFixture[str]) -> None:
    facts = doctor.examine(Path.cwd())
    bad = DoctorFinding("problem", "gpu", "torch cannot use GPU 0.", "pip install torch --index-url x")
    facts = {**facts, "ok": False, "gpus": [{"index": 0, "name": "A100"}], "can_train": True, "can_train_on_gpu": False}
    doctor.print_facts({**facts, "findings": [bad.to_json()]})
    said = capsys.readouterr().out.splitlines()
    place = next(n for n, line in enumerate(said) if "torch cannot use GPU 0." in line)
    assert said[place + 1].strip() == "pip install torch --index-url x"
    assert "CPU only" in said[-1]


@pytest.mark.parametrize(
    ("environment", "file", "origin", "words"),
    [
        ({"HF_TOKEN": "hf_abc"}, "", "HF_TOKEN", ()),
        ({}, "hf_abc\n", "token", ()),
        ({}, "", "", ("Not logged in",)),
        ({}, "whatever", "token", ("begin with hf_",)),
        ({"HF_TOKEN": "hf_abc", "HF_HUB_OFFLINE": "1"}, "", "HF_TOKEN", ("Offline mode",)),
    ],
)
def test_the_hub_login_is_found_and_never_shown(
    tmp_path: Path, environment: dict[str, str], file: str, origin: str, words: tuple[str, ...]
) -> None:
    if file:
        (tmp_path / "token").write_text(file)
    facts, found = examine_hub({"HF_HOME": str(tmp_path), **environment})
    assert facts["token_from"].endswith(origin)
    assert bool(facts["token_from"]) == bool(origin)
    assert [any(word in each.message for each in found) for word in words] == [True] * len(found)
    assert all(each.fix for each in found)
    assert "abc" not in json.dumps([facts, *(each.to_json() for each in found)])


TMUX = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0", "COLORTERM": "truecolor"}


@pytest.mark.parametrize(
    ("environment", "tmux", "codeset", "fixes"),
    [
        ({"TERM": "xterm-256color"}, "", "utf-8", []),
        ({"TERM": "dumb"}, "", "utf-8", ["export TERM=xterm-256color"]),
        ({"TERM": "vt100"}, "", "utf-8", ["export TERM=xterm-256color"]),
        ({"TERM": "no-such-terminal"}, "", "utf-8", ["export TERM=xterm-256color"]),
        ({"TERM": "xterm-256color"}, "", "iso8859-1", ["export LANG=C.UTF-8"]),
        (TMUX, "3.4\ton\ton\t256,RGB,title", "utf-8", []),
        (
            TMUX,
            "3.4\toff\texternal\t256,title",
            "utf-8",
            [
                "tmux set -g allow-passthrough on",
                "tmux set -s set-clipboard on",
                "tmux set -as terminal-features ',*:RGB'",
            ],
        ),
        (TMUX, "3.3a\t0\ton\t256,RGB", "utf-8", ["tmux set -g allow-passthrough on"]),
        (TMUX, "", "utf-8", []),  # it does not answer
    ],
)
def test_each_fault_of_the_terminal_has_the_command_that_mends_it(
    environment: dict[str, str], tmux: str, codeset: str, fixes: list[str]
) -> None:
    facts, found = examine_terminal(environment, size=(120, 40), codeset=codeset, ask_tmux=lambda: tmux)
    assert [each.fix for each in found] == fixes
    assert facts["size"] == [120, 40]
    _, elsewhere = examine_terminal(environment, size=None, codeset=codeset, ask_tmux=lambda: tmux)
    assert elsewhere == [], "a script has no terminal to mend"
