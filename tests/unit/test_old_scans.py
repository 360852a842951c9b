"""Old scans of the same files go; what is running, fresh or named somewhere stays."""

from __future__ import annotations

from pathlib import Path

from core.dataset.scan.sweep import sweep_scans
from core.jobs.folder import JobFolder


def scan_folder(workspace: Path, number: int, data: str, state: str = "finished", **payload: object) -> Path:
    jobs = workspace / ".tunedeck" / "jobs"
    folder = JobFolder.create(jobs, f"scan-{number:012x}", "scan", payload={"paths": [data], **payload})
    folder.write_status(state=state, **({"ended": 1.0} if state == "finished" else {}))
    named = jobs / f"2026-11-22-00000{number}-scan-{number:012x}"
    folder.path.rename(named)
    return named


def test_the_newest_of_each_file_stay_with_all_that_is_in_use(tmp_path: Path) -> None:
    first = [scan_folder(tmp_path, number, "/a.jsonl") for number in range(6)]
    other = scan_folder(tmp_path, 7, "/b.jsonl")
    near = scan_folder(tmp_path, 8, "/a.jsonl", near={})
    (tmp_path / "audit-2026-11-22.md").write_text(f"from {first[1].name}")
    assert sweep_scans(tmp_path, kept=3) == []  # they were made a moment ago
    assert sweep_scans(tmp_path, kept=3, fresh=0) == [first[2], first[0]]
    assert all(path.is_dir() for path in (first[1], *first[3:], other, near))


def test_a_scan_that_goes_on_stays(tmp_path: Path) -> None:
    folders = [
        scan_folder(tmp_path, number, "/a.jsonl", "queued" if number == 0 else "finished") for number in range(4)
    ]
    assert sweep_scans(tmp_path, kept=1, fresh=0) == [folders[2], folders[1]]
