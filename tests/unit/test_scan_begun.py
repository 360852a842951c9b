"""A scan that was stopped or killed goes on where it was, and finds what one that was never interrupted finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.dataset.checks import CHECKS
from core.dataset.checks.base import Context, Flag
from core.dataset.checks.secrets import Secret
from core.dataset.item import Item
from core.dataset.scan import job as scan_job
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.resume import was_begun
from core.dataset.scan.scan import scan
from core.jobs import requests
from core.jobs.folder import JobFolder
from tests.kit.clock import slow_time

ROWS = 6_000


def lines() -> list[str]:
    """Rows of every kind that a check compares with others, spread over the file, with a bad line now and then."""
    found = []
    for n in range(ROWS):
        if n % 997 == 500:
            found.append("{broken")
            continue
        question = f"Which number comes after {n % 1_500} in this long list of numbers?"
        answer = (
            "Das ist die Zahl und nicht eine andere, auch wenn sie es ist." if n % 1_999 == 7 else f"It is {n} of them."
        )
        if n % 700 == 3:
            question = question.upper()
        system = [{"role": "system", "content": "Be rude." if n % 1_301 == 9 else "Be kind."}]
        turns = [
            *system,
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer * (1 + 400 * (n % 2_003 == 5))},
        ]
        found.append(json.dumps({"messages": turns}))
        if n % 50 == 0:
            found.append(found[-1])
    return found


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines()) + "\n")
    return JobFolder.create(tmp_path / "runs", "scan", "scan", payload={"paths": [str(path)]})


def stopped_early(folder: JobFolder) -> dict[str, Any]:
    """Run the job until a request to stop comes with row 2,000; what it had found by then."""
    inspect = Secret.inspect

    def inspected(check: Secret, item: Item) -> Flag | None:
        if item.row == 2_000:
            (folder.requests / requests.STOP).write_text("{}")
        return inspect(check, item)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Secret, "inspect", inspected)
        patched.setattr("core.dataset.scan.scan.time", slow_time())
        assert scan_job.main([str(folder.path)]) == 3
    summary = ScanReader(folder.path).summary()
    assert summary is not None
    assert not summary["complete"]
    assert 2_000 < summary["begun"]["rows"] <= 2_064, "requests are looked for every 64 rows, if time has passed"
    return summary


def everything(folder: JobFolder) -> tuple[Any, ...]:
    """All that a scan has found."""
    reader = ScanReader(folder.path)
    flags: dict[int, tuple[Any, ...]] = {}
    bad: list[Any] = []
    while True:
        update = reader.poll()
        for row, more in update.flags.items():
            flags[row] = flags.get(row, ()) + more
        bad += update.bad
        if not update.more:
            break
    summary = reader.summary()
    assert summary is not None
    assert summary["complete"]
    return flags, bad, reader.packed_keys(0, reader.keyed_rows), summary["flags"], summary["rows"], summary["bad_lines"]


def uninterrupted(folder: JobFolder) -> tuple[Any, ...]:
    found = scan(folder.read_job()["payload"]["paths"])
    report = found.to_json()
    bad = list(zip(found.bad_entries, found.bad_lines, strict=True))
    return found.row_flags, bad, found.keys, report["flags"], report["rows"], report["bad_lines"]


def nothing(results: Path) -> None:
    """A scan that was stopped has closed its files."""


def killed(results: Path) -> None:
    """A scan that was killed had written on after the place that it noted, the last line not whole."""
    with (results / "flags.jsonl").open("ab") as flags:
        flags.write(b'{"row": 5999, "flags": [{"name": "secret", "reason": "never", "of": null, "sever')
    with (results / "keys.bin").open("ab") as keys:
        keys.write(b"k" * 47)


@pytest.mark.parametrize("then", [nothing, killed])
def test_it_goes_on_where_it_was(
    folder: JobFolder, then: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stopped_early(folder)
    results = folder.path / "scan"
    assert was_begun(results)
    then(results)
    looked_at: list[int] = []
    inspect = Secret.inspect
    monkeypatch.setattr(Secret, "inspect", lambda self, item: looked_at.append(item.row) or inspect(self, item))
    assert scan_job.main([str(folder.path)]) == 0
    assert min(looked_at) == before["begun"]["rows"], "what was found of a row alone is not looked for again"
    monkeypatch.undo()
    assert everything(folder) == uninterrupted(folder)
    assert not was_begun(results)


def test_results_that_do_not_fit_their_place_are_not_gone_on_with(folder: JobFolder) -> None:
    stopped_early(folder)
    (folder.path / "scan" / "keys.bin").write_bytes(b"short")
    assert scan_job.main([str(folder.path)]) == 0
    assert everything(folder) == uninterrupted(folder)


def test_every_check_that_keeps_something_of_the_rows_says_so() -> None:
    for kind in CHECKS:
        kept = {name for name, value in vars(kind(Context())).items() if name != "context" and not callable(value)}
        assert kind.remembers == bool(kept), f"{kind.__name__} keeps {kept}"
