"""Old copies of pipes go; what is fresh, named somewhere or decided upon stays. The hub's are only told of."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from core.dataset.audit.store import DecisionStore
from core.dataset.files.piped import take_in
from core.dataset.scan.job import main as scan_job
from core.dataset.scan.old_copies import sweep_piped, unnamed_hub_copies
from core.jobs.folder import JobFolder
from tui.cli import main
from tui.commands.doctor import examine


def piped(workspace: Path, number: int) -> Path:
    path = take_in(workspace, io.BytesIO(b'{"prompt": "%d", "completion": "b"}\n' % number))
    os.utime(path, (number + 1, number + 1))
    return path


def scanned(workspace: Path, data: Path) -> Path:
    """The job of a scan that has ended."""
    folder = JobFolder.create(workspace / ".tunedeck" / "jobs", "scan", "scan", payload={"paths": [str(data)]})
    assert scan_job([str(folder.path)]) == 0
    folder.write_status(state="finished", ended=1.0)
    return folder.path


def test_the_oldest_go_with_their_scans_and_what_is_in_use_stays(tmp_path: Path) -> None:
    copies = [piped(tmp_path, number) for number in range(8)]
    scans = [scanned(tmp_path, copy) for copy in copies[:3]]
    store = DecisionStore(tmp_path)
    store.decide((scans[1] / "scan" / "keys.bin").read_bytes()[:16].hex() + ":0", "drop").result()
    store.close()
    (tmp_path / "recipe.yaml").write_text(f"data:\n  train: [{copies[3]}]\n")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "job.json").write_text(f'{{"payload": "{copies[4].name}"}}')
    killed = copies[0].with_name("reading-abc")
    killed.write_text("half")
    assert sweep_piped(tmp_path, kept=8) == []
    assert sorted(sweep_piped(tmp_path, kept=2)) == sorted([copies[0], copies[2], copies[5]])
    assert [copy.exists() for copy in copies] == [False, True, False, True, True, False, True, True]
    assert [scan.exists() for scan in scans] == [False, True, False]
    assert killed.exists(), "a reader may still be at it"
    os.utime(killed, (1, 1))
    assert sweep_piped(tmp_path) == [killed]


def test_copies_of_last_week_stay(tmp_path: Path) -> None:
    copies = [take_in(tmp_path, io.BytesIO(b'{"text": "%d"}\n' % number)) for number in range(5)]
    assert sweep_piped(tmp_path, kept=0) == []
    assert all(copy.exists() for copy in copies)


def test_the_doctor_tells_of_ram_and_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = examine(tmp_path)
    assert 0 < facts["ram_free_bytes"] < facts["ram_bytes"]
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert " of RAM (" in said
    assert " of disk free in " in said


def test_the_doctor_tells_of_data_sets_of_the_hub_that_nothing_names(tmp_path: Path) -> None:
    for name in ("org--used", "org--unused"):
        folder = tmp_path / ".tunedeck" / "hub" / name
        folder.mkdir(parents=True)
        (folder / "default--train.jsonl").write_bytes(b"x" * 2_048)
    (tmp_path / "recipe.yaml").write_text("data:\n  train: [.tunedeck/hub/org--used/default--train.jsonl]\n")
    unused = tmp_path / ".tunedeck" / "hub" / "org--unused"
    assert unnamed_hub_copies(tmp_path) == [(unused, 2_048)]
    (note,) = [note for note in examine(tmp_path)["notes"] if "org/unused" in note]
    assert "2.0 KiB" in note
    assert note.endswith(f"rm -r {unused}")
