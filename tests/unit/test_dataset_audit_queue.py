"""The audit's queue: the same rows in the same order for a seed, worst first, and where it was left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b
from pathlib import Path

import pytest

from core.dataset.audit.agreement import cohens_kappa
from core.dataset.audit.decisions import Decision
from core.dataset.audit.estimate import BadShare
from core.dataset.audit.pace import AuditPace, seconds_per_row
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


def test_the_pace_is_a_median_and_counts_no_time_away() -> None:
    pace = AuditPace()
    pace.note(0.0)
    assert pace.seconds == 0
    for second in (10.0, 20.0, 90.0):
        pace.note(second)
    assert pace.seconds == 10
    pace.note(10_000.0)
    pace.note(10_004.0)
    assert pace.seconds == 10


def keys_of(rows: Sequence[str]) -> list[bytes]:
    return [blake2b(row.encode(), digest_size=16).digest() + bytes(4) for row in rows]


def test_a_sample_goes_by_the_rows_and_not_by_their_places() -> None:
    rows = [f"row {number}" for number in range(1_000)]
    audit = Audit("random", seed=7, size=100, entries=1_000, keyed=True)

    def sample(rows: Sequence[str], bad: Collection[int] = ()) -> list[str]:
        entries = [None if number in bad else row for number, row in enumerate(rows)]
        return [str(entries[entry]) for entry in audit.order({}, bad, keys_of([row for row in entries if row]))]

    before = sample(rows)
    assert len(set(before)) == 100
    done = set(before[:13])
    shifted = ["new first row", *rows]
    assert set(sample(shifted)) >= done
    longer = [f"new {number}" for number in range(500)] + rows[::-1]
    assert done <= set(sample(longer)), "13 of 100 stay 13 of 100"
    assert sample(rows[::-1]) == before
    bad = sample(["{broken", *rows], {0})
    assert bad == before
    other = Audit("random", seed=8, size=100, keyed=True)
    assert [rows[entry] for entry in other.order({}, (), keys_of(rows))] != before


def test_rows_of_an_overview_are_named_by_their_keys() -> None:
    packed = keys_of(["a", "b", "c"])
    audit = Audit("thin", keyed=True, keys=(packed[2].hex(), packed[0].hex(), "00"))
    assert audit.order({}, {1}, packed) == [3, 0]


def test_each_reviewer_leaves_an_audit_for_themselves(tmp_path: Path) -> None:
    ada, bob = (AuditLog(tmp_path, ["a.jsonl"], name) for name in ("ada", "bob"))
    audit = Audit("random", seed=1, started=1.0, keyed=True, overlap=True)
    ada.begin(audit)
    assert bob.present() == audit
    ada.end()
    assert (ada.present(), bob.present()) == (None, audit)


def test_each_reviewer_resumes_an_earlier_audit_for_themselves(tmp_path: Path) -> None:
    ada, bob = (AuditLog(tmp_path, ["a.jsonl"], name) for name in ("ada", "bob"))
    first, second = Audit("random", seed=1, started=1.0), Audit("worst", started=2.0)
    ada.begin(first)
    bob.begin(second)
    assert ada.begun() == [(second, "bob"), (first, "ada")]
    ada.resume(first)
    assert (ada.present(), bob.present()) == (first, second)
    assert ada.audits() == [first, second], "no new audit"
    ada.end()
    assert (ada.present(), bob.present()) == (None, second)


@pytest.mark.parametrize(
    ("bad", "read", "of", "range"),
    [
        (3, 100, 5_000, "1-9%"),
        (0, 100, 5_000, "0-4%"),
        (100, 100, 5_000, "96-100%"),
        (1, 2, 5_000, "9-91%"),
        (3, 100, 100, "3%"),
        (1, 8, 8, "12.5%"),
    ],
)
def test_a_sample_says_a_range_for_the_whole_set(bad: int, read: int, of: int, range: str) -> None:
    share = BadShare(bad, read, of)
    assert share.range == range
    assert share.words == f"{bad} of {read} bad: {range} of the set"


def test_the_interval_is_wilsons() -> None:
    low, high = BadShare(3, 100, 5_000).interval
    assert (low, high) == (pytest.approx(0.01025, abs=1e-5), pytest.approx(0.08452, abs=1e-5))
    assert BadShare(0, 0, 9).words == "nothing read yet"


def test_cohens_kappa_is_that_of_the_textbook() -> None:
    pairs = [("keep", "keep")] * 20 + [("keep", "drop")] * 5 + [("drop", "keep")] * 10 + [("drop", "drop")] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([("keep", "drop"), ("drop", "keep")]) == -1
    assert cohens_kappa([("keep", "keep")] * 3) is None
    assert cohens_kappa([]) is None


def test_time_per_row_is_a_median_by_reviewer_without_breaks_reasons_and_bulk() -> None:
    def made(id: int, user: str, time: float, batch: int = 0) -> Decision:
        return Decision(id, f"{id}:0", "drop", {}, user, "h", time, batch)

    decisions = [made(1, "ada", 0), made(2, "ada", 6), made(3, "ada", 6.5, 2), made(4, "ada", 14), made(5, "ada", 900)]
    decisions += [made(6, "bob", 3), made(7, "bob", 903), made(8, "bob", 903, 7), made(9, "bob", 903, 7)]
    assert seconds_per_row(decisions) == {"ada": 7.0}
