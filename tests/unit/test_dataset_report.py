"""The audit's report says what was read, found and dropped, and foreign text in it stays text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.audit.queue import Audit, AuditLog
from core.dataset.audit.store import DecisionStore
from core.dataset.scan import job as scan_job
from core.dataset.scan.keys import KEY_BYTES, unpack
from core.dataset.view.plan import build_view
from core.dataset.view.report import write_report
from core.errors import TunedeckError
from core.jobs.folder import JobFolder


def chat(question: str, answer: str = "An answer.") -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns})


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """Four rows and a bad line; row 1 kept, row 2 dropped with a note, row 4 (no answer) dropped."""
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join([chat("one"), chat("two"), "{broken", chat("three"), chat("four", "")]) + "\n")
    view = build_view(tmp_path, paths=[path], eval_fraction=0.0)
    keys = (view.folder / "keys.bin").read_bytes()
    names = [unpack(keys[at : at + KEY_BYTES]) for at in range(0, len(keys), KEY_BYTES)]
    AuditLog(tmp_path, [path]).begin(Audit("random", seed=7, size=100, entries=5, started=1.7e9))
    store = DecisionStore(tmp_path)
    store.decide(names[0], "keep")
    store.decide(names[1], "note", {"text": "wrong | price <script>`x`"})
    store.decide(names[1], "drop")
    store.decide(names[2], "note", {"text": "nice one"})
    store.decide(names[3], "drop", {"text": "near-duplicate of row 3, 93%"})
    store.close()
    return path


def test_the_report_says_what_was_read_found_and_dropped(audited: Path) -> None:
    view = build_view(audited.parent, paths=[audited], eval_fraction=0.0)
    path = write_report(audited.parent, [audited], view.folder)
    text = path.read_text()
    assert path.name.startswith("audit-")
    assert path.suffix == ".md"
    assert "- 4 rows" in text
    assert "not been searched for near-duplicates" in text
    assert "3 decided by hand (75.0%): 1 kept, 2 dropped" in text
    assert "1 malformed line" in text
    assert "| random sample of 100 | 7 | 3 of 4 | 1 | 2 | 20-94% |" in text
    assert "| empty answer | 1 | 0 | 1 |" in text
    dropped = text.partition("## Dropped rows")[2].partition("##")[0]
    assert "| 4 | near-duplicate of row 3, 93%; empty\\_answer" in dropped
    assert "| 3 | note | nice one |" in text


def test_notes_begin_no_table_tag_or_code(audited: Path) -> None:
    view = build_view(audited.parent, paths=[audited], eval_fraction=0.0)
    text = write_report(audited.parent, [audited], view.folder).read_text()
    assert "| 2 | note: wrong \\| price &lt;script>\\`x\\` |" in text


def test_flags_of_a_search_for_near_duplicates_count_and_its_clusters_are_a_queue(audited: Path) -> None:
    view = build_view(audited.parent, paths=[audited], eval_fraction=0.0)
    payload = {"paths": [str(audited)], "near": {"threshold": 0.5}, "checks": ["near_duplicate"]}
    search = JobFolder.create(audited.parent / "runs", "near", "scan", payload=payload)
    scan_job.run(search, payload)
    AuditLog(audited.parent, [audited]).begin(Audit("cluster", entries=5, started=1.7e9))
    text = write_report(audited.parent, [audited], view.folder, near=search.path).read_text()
    assert "| near-duplicate | 2 | 0 | 1 |" in text
    assert "at 50%+ similarity (compared: all): 1 cluster of 3 rows, of which 2 are removable" in text
    assert "| by cluster | - | 2 of 3 | 1 | 1 | - |" in text
    assert "similar to row 1, cluster 1 of 3 rows" in text


def test_a_report_without_a_scan_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TunedeckError, match="report cannot be written"):
        write_report(tmp_path, ["a.jsonl"], tmp_path / "nowhere")


def test_the_report_estimates_by_flag_and_file_and_counts_reasons_labels_and_agreement(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text("\n".join([chat(f"one {n}") for n in range(6)]) + "\n")
    other.write_text("\n".join(["{broken", *(chat(f"other {n}", "" if n < 3 else "yes") for n in range(6))]) + "\n")
    view = build_view(tmp_path, paths=[one, other], eval_fraction=0.0, drop_flags=())
    packed = (view.folder / "keys.bin").read_bytes()
    keys = [unpack(packed[at : at + KEY_BYTES]) for at in range(0, len(packed), KEY_BYTES)]
    AuditLog(tmp_path, [one, other]).begin(Audit("random", seed=1, size=9, entries=13, started=1.7e9, keyed=True))
    store, bob = DecisionStore(tmp_path, user="ada"), DecisionStore(tmp_path, user="bob")
    for row in (0, 1, 2, 3, 6, 7, 9, 10):
        action = "drop" if row in (3, 6, 7) else "keep"
        store.decide(keys[row], action, {"text": "cut off"} if action == "drop" else {}).result()  # type: ignore[arg-type]
    store.decide(keys[0], "rate", {"rating": 2})
    store.decide(keys[0], "label", {"labels": ["tone"]}).result()
    bob.decide(keys[0], "keep", {"blind": True}).result()
    bob.decide(keys[1], "drop", {"blind": True}).result()
    store.close()
    bob.close()
    text = write_report(tmp_path, [one, other], view.folder).read_text()
    part = text.partition("## Estimate from the random sample")[2].partition("##")[0]
    rows = {line.split("|")[1].strip(): line.split("|")[2:6] for line in part.splitlines() if line.startswith("| ")}
    assert {name: cells[0].strip() for name, cells in rows.items()}["file other.jsonl"] == "6"
    assert int(rows["file one.jsonl"][1]) + int(rows["file other.jsonl"][1]) == sum(
        int(cells[1]) for name, cells in rows.items() if name in ("empty answer", "no flag")
    )
    assert "bad:" in part
    assert "| dropped as | cut off | 3 |" in text
    assert "| rating | 2 of 5 | 1 |" in text
    assert "| label | tone | 1 |" in text
    assert "| ada and bob | 2 | 1 | 0.00 |" in text
    assert "| 2 | ada: keep, bob: drop |" in text
    assert "median time per row: ada" in text


def test_reports_of_two_datasets_of_one_day_are_two_files(audited: Path) -> None:
    other = audited.parent / "other" / audited.name
    other.parent.mkdir()
    other.write_bytes(audited.read_bytes())
    names = []
    for path in (audited, other, audited):
        view = build_view(audited.parent, paths=[path], eval_fraction=0.0)
        names.append(write_report(audited.parent, [path], view.folder).name)
    assert names[0] == names[2]
    assert names[1] == names[0].replace(".md", "-2.md")
