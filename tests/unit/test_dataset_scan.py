"""The scan: counts, bad lines and keys, in this process and as a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.dataset.scan.keys import KEY_BYTES, row_digest, unpack
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.scan import ScanStopped, scan
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.paths import ROOT
from tests.kit.waiting import PATIENCE


def exchange(question: str, answer: str) -> str:
    return json.dumps({"prompt": question, "completion": answer})


LINES = [
    exchange("one", "1"),
    "{broken",
    exchange("two", "2"),
    exchange("one", "1"),
    '{"prompt": "three", "completion": NaN}',
    json.dumps({"prompt": "four"}),
    exchange("five", " "),
    exchange("one", "1"),
]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_a_scan_reports_as_its_json_contract_says(faulty: Path) -> None:
    report = json.loads(json.dumps(scan(faulty).to_json()))
    assert report["rows"] == 7
    assert report["format"] == "prompt-completion"
    (line,) = report["bad_lines"]
    assert (line["file"], line["line"]) == (str(faulty), 2)
    assert "not valid JSON" in line["reason"]
    counts = {name: count for name, count in report["flags"].items() if count}
    assert counts == {"exact_duplicate": 2, "unreadable": 2, "empty_answer": 1, "nonstandard_json": 1}
    assert "leak_exact" not in report["flags"]


def test_flags_stand_at_good_rows_and_duplicates_name_the_first(faulty: Path) -> None:
    result = scan(faulty)
    assert {row: [flag.name for flag in found] for row, found in result.row_flags.items()} == {
        2: ["exact_duplicate"],
        3: ["unreadable", "nonstandard_json"],  # a number that is none is no answer
        4: ["unreadable"],
        5: ["empty_answer"],
        6: ["exact_duplicate"],
    }
    assert {flag.of for found in result.row_flags.values() for flag in found if flag.of is not None} == {0}
    assert result.bad_entries == (1,)


def packed(keys: bytes) -> list[bytes]:
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


def test_keys_count_equal_rows_in_order_and_ignore_the_order_of_columns(tmp_path: Path, faulty: Path) -> None:
    keys = scan(faulty).keys
    texts = [unpack(key) for key in packed(keys)]
    assert len(set(texts)) == len(texts) == 7
    same = [text for text in texts if text.split(":")[0] == texts[0].split(":")[0]]
    assert [text.split(":")[1] for text in same] == ["0", "1", "2"]
    assert row_digest({"a": 1, "b": 2}) == row_digest({"b": 2, "a": 1})
    assert row_digest({"a": "\ud800"}) == row_digest({"a": "\ud800"}) != row_digest({"a": "\ud801"})
    moved = tmp_path / "copy.json"
    moved.write_text(
        json.dumps([json.loads(line) for line in reversed(LINES) if "{b" not in line and "NaN" not in line])
    )
    others = scan(moved, format="prompt-completion").keys
    assert set(packed(others)) < set(packed(keys))


def test_leaks_are_found_against_an_eval_file(tmp_path: Path, faulty: Path) -> None:
    held = tmp_path / "eval.csv"
    held.write_text("question,answer\nTWO,II\n")
    result = scan(faulty, eval_paths=[held])
    assert result.flags["leak_exact"] == 1
    assert [flag.reason for flag in result.row_flags[1]] == ["same prompt as in eval.csv, line 2"]


def test_an_eval_file_of_unknown_format_is_read_with_the_data_sets_mapping(tmp_path: Path) -> None:
    data, held = tmp_path / "a.jsonl", tmp_path / "eval.jsonl"
    for path in (data, held):
        path.write_text(json.dumps({"frage": "q", "antwort": "a"}) + "\n")
    columns = {"prompt": "frage", "completion": "antwort"}
    assert scan(data, columns=columns, eval_paths=[held]).flags["leak_exact"] == 1


def test_a_scan_tells_progress_and_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text((exchange("q", "a") + "\n") * 5_000)
    reported: list[tuple[int, int]] = []
    scan(path, on_progress=lambda done, of: reported.append((done, of)))
    assert reported[-1] == (5_000, 5_000)
    with pytest.raises(ScanStopped):
        scan(path, should_stop=lambda: True)


def test_public_files_have_the_duplicates_that_were_counted(public_data: Path) -> None:
    expected = {
        "alpaca_en_demo.json": 14,
        "alpaca_zh_demo.json": 8,
        "dpo_en_demo.json": 5,
        "glaive_toolcall_en_demo.json": 35,
        "kto_en_demo.json": 0,
        "v1_sft_demo.jsonl": 1,
        "gsm8k_test.jsonl": 0,
    }
    for name, duplicates in expected.items():
        result = scan(public_data / name)
        assert result.flags["exact_duplicate"] == duplicates, name
        assert not result.bad_lines, name
    assert scan(public_data / "identity.json").flags["placeholder"] == 85
    with pytest.raises(BadInput, match="git lfs pull"):
        scan(public_data / "lfs_pointer_train.jsonl")


def run_job(folder: JobFolder) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "core.dataset.scan.job", str(folder.path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_scan_job_writes_what_the_reader_reads(tmp_path: Path, faulty: Path) -> None:
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload={"paths": [str(faulty)]})
    ended = run_job(folder)
    assert ended.returncode == 0, ended.stderr
    reader = ScanReader(folder.path)
    summary = reader.summary()
    here = scan(faulty)
    assert summary is not None
    assert {name: summary[name] for name in here.to_json()} == here.to_json()
    assert summary["complete"] is True
    update = reader.poll()
    assert update.flags == here.row_flags
    assert [(entry, line.line) for entry, line in update.bad] == [(1, 2)]
    assert not reader.poll().flags
    assert reader.keyed_rows == 7
    assert reader.key(6) == unpack(here.keys[6 * KEY_BYTES :])
    assert reader.key(7) is None
    status = folder.read_status()
    assert (status.phase, status.step, status.of) == ("done", 8, 8)


def test_the_scan_job_says_why_it_failed(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload={"paths": [str(tmp_path / "none.jsonl")]})
    assert run_job(folder).returncode == 2
    assert "no such file" in folder.read_status().message


def test_the_scan_job_stops_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text((exchange("q", "a") + "\n") * 20_000)
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload={"paths": [str(path)]})
    (folder.requests / "stop").write_text("{}")
    assert run_job(folder).returncode == 3
    assert not (folder.requests / "stop").exists()
