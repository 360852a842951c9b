"""The audit's queue: the same rows in the same order for a seed, worst first, and where it was left."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.audit.pace import AuditPace
from core.dataset.audit.queue import Audit, AuditLog
from core.dataset.checks import Flag
from core.errors import TunedeckError

ERROR = Flag("empty_answer", "", severity="error")
WARNING = Flag("placeholder", "")
NOTE = Flag("length_outlier", "", severity="note")


def test_a_seed_gives_the_same_sample_when_rows_were_appended() -> None:
    audit = Audit("random", seed=7, size=100, entries=1_000)
    sample = list(audit.order({}))
    assert len(sample) == len(set(sample)) == 100
    assert sample == list(Audit("random", seed=7, size=100, entries=1_000).order({3: (NOTE,)}))
    assert sample != list(Audit("random", seed=8, size=100, entries=1_000).order({}))
    bad = set(range(0, 1_000, 2))
    odd = list(Audit("random", seed=7, size=100, entries=1_000).order({}, bad))
    assert len(set(odd)) == 100
    assert not bad.intersection(odd)
    assert list(Audit("random", size=5, entries=3).order({}, {1})) in ([0, 2], [2, 0])
    assert sorted(Audit("random", entries=7).order({})) == list(range(7))


def test_the_worst_rows_come_first() -> None:
    flags = {1: (NOTE,), 2: (WARNING, WARNING), 3: (ERROR,), 4: (ERROR, WARNING), 9: (NOTE,)}
    assert list(Audit("worst").order(flags)) == [4, 3, 2, 1, 9]


def test_a_flag_lists_its_rows_and_no_flag_lists_one_after_the_other() -> None:
    flags = {1: (NOTE,), 2: (WARNING, NOTE), 3: (ERROR,), 4: (NOTE,)}
    assert list(Audit("flag", flag="length_outlier").order(flags)) == [1, 2, 4]
    assert list(Audit("flag").order(flags)) == [3, 1, 4, 2]


def test_rows_that_repeat_each_other_stand_side_by_side_the_largest_cluster_first() -> None:
    def near(of: int) -> Flag:
        return Flag("near_duplicate", "", of, similarity=0.9)

    # Entry 2 is a bad line, so row 2 is entry 3; row 8 (entry 9) repeats row 6 and is repeated itself.
    flags = {1: (NOTE, near(0)), 4: (near(2),), 5: (Flag("exact_duplicate", "", 2),), 9: (near(6),), 11: (near(8),)}
    flags |= {12: (near(8),), 13: (Flag("same_template", "", 1),)}
    audit = Audit("cluster")
    assert audit.words == "by cluster"
    assert list(audit.order(flags, {2})) == [7, 9, 11, 12, 3, 4, 5, 0, 1]
    assert list(audit.order({1: (NOTE,)})) == []


def test_an_audit_is_found_again_for_its_data_alone(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, [tmp_path / "a.jsonl"])
    assert log.present() is None
    assert log.next_seed() == 1
    audit = Audit("random", seed=4, size=50, entries=300, started=1.5)
    log.begin(audit)
    AuditLog(tmp_path, ["elsewhere.jsonl"]).begin(Audit("worst", started=2.0))
    again = AuditLog(tmp_path, [tmp_path / "a.jsonl"])
    assert again.present() == audit
    assert again.next_seed() == 5
    again.end()
    assert AuditLog(tmp_path, [tmp_path / "a.jsonl"]).present() is None
    assert again.audits() == [audit]


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, ["a.jsonl"])
    log.begin(Audit("worst", started=1.0))
    with log.path.open("ab") as file:
        file.write(b'{"data": [], "mode"\n[1]\n\xff\n')
    log.begin(Audit("everything", entries=3, started=2.0))
    assert [audit.mode for audit in log.audits()] == ["worst", "everything"]


def test_an_audit_that_cannot_be_noted_down_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".tunedeck").write_text("a file stands where the folder belongs")
    with pytest.raises(TunedeckError, match="cannot be saved"):
        AuditLog(tmp_path, ["a.jsonl"]).begin(Audit("worst"))


def test_the_pace_counts_no_time_away() -> None:
    pace = AuditPace()
    pace.note(0.0)
    assert pace.per_minute == 0
    for second in (10.0, 20.0, 30.0):
        pace.note(second)
    assert pace.per_minute == pytest.approx(6)
    pace.note(10_000.0)
    assert pace.per_minute == pytest.approx(4 * 60 / 150)
