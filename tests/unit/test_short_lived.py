"""Which places are known to lose files, by their name, their variable or their kind of file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.jobs.short_lived import short_lived
from tui.commands import doctor

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
tmpfs /mnt/with\\040space tmpfs rw 0 0
/dev/sdb1 /mnt/with\\040space/disk xfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("SCRATCH", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return str(path)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("/tmp/work", "in /tmp"),
        ("/var/tmp", "in /var/tmp"),
        ("/dev/shm/work", "in memory"),
        ("/mnt/with space/work", "in memory"),
        ("/scratch/ada/work", "scratch space (scratch)"),
        ("/data/gpu_scratch2/work", "scratch space (gpu_scratch2)"),
        ("/lustre/scr/ada", "scratch space (scr)"),
    ],
)
def test_a_place_that_loses_files_is_named(mounts: str, folder: str, words: str) -> None:
    assert words in short_lived(Path(folder), mounts=mounts)


@pytest.mark.parametrize(
    "folder", ["/home/ada/work", "/mnt/with space/disk/work", "/data/scripts", "/data/scratchpad", "/tmpfs", "/scrum"]
)
def test_any_other_place_is_not(mounts: str, folder: str) -> None:
    assert short_lived(Path(folder), mounts=mounts) == ""


def test_a_place_is_known_by_its_variable(mounts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/data/fast")
    assert "in $SCRATCH" in short_lived(Path("/data/fast/work"), mounts=mounts)
    monkeypatch.setenv("SCRATCH", "/")
    assert short_lived(Path("/data/fast/work"), mounts=mounts) == ""


def test_without_a_list_of_mounts_only_names_count(mounts: str) -> None:
    assert short_lived(Path("/dev/shm/work"), mounts=f"{mounts}.none") == ""


def test_doctor_says_so_and_names_what_was_rescued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    saved = tmp_path / "state" / "tunedeck" / "rescued" / "2026-11-30-080000-tone-rescued"
    saved.mkdir(parents=True)
    notes = doctor.examine(Path("/tmp"))["notes"]
    assert any(note.startswith("/tmp is in /tmp: many machines delete") for note in notes)
    assert f"The weights of a run that lost its folder are in {saved}" in notes
