"""The scan as a job: writes its results into its folder while it runs.

`scan/summary.json` is replaced once a second, `scan/flags.jsonl` and `scan/bad.jsonl` grow a line a row, and
`scan/keys.bin` grows `KEY_BYTES` a good row, so that a viewer can key its decisions before the scan has ended. Where
near-duplicates are asked for, `scan/clusters.jsonl` has a cluster a line once they are known, the largest first,
`scan/leaks.jsonl` a near leak to the eval files a line, and `scan/shared.json` what was left out of the texts.

A scan without such a search that was stopped or killed resumes where it was when it is started again in its folder.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from core.dataset.audit.store import read_ledger
from core.dataset.checks import CHECKS
from core.dataset.dataset import Dataset
from core.dataset.flag_names import flag_name
from core.dataset.mapping import AUTO, Chosen
from core.dataset.near.result import NearOptions
from core.dataset.scan.collector import seldom_collecting
from core.dataset.scan.keys import pack
from core.dataset.scan.results import SCAN_FOLDER, write_bad, write_flags, write_near, write_summary
from core.dataset.scan.resume import BAD, FLAGS, KEYS, Begun, begun
from core.dataset.scan.scan import Scanner, ScanResult, ScanStopped, gatherer, ticking, watched
from core.jobs import requests
from core.jobs.folder import JobFolder
from core.jobs.small_job import end_of

_PERIOD = 1.0


POLITE = 5
"""By how much the scan lets others go first: where processors are few, the screen beside it answers keys at once."""


def main(argv: Sequence[str]) -> int:
    """The worker: `python -m core.dataset.scan.job FOLDER`, where `job.json` has the payload of `run`.

    Returns:
        The exit code: 0 done, 1 failed, 2 the data cannot be read, 3 stopped on request.
    """
    with seldom_collecting():
        return end_of(argv, "core.dataset.scan.job", run, stopped=ScanStopped, words="The scan was stopped.")


def run(folder: JobFolder, payload: dict[str, Any]) -> None:
    """Scans into a job's folder.

    Args:
        folder: the job's folder.
        payload: `paths`, and as far as wanted `format`, `columns`, `eval_paths` (with `eval_format` and
            `eval_columns`), `near`: a search for near-duplicates,
            with the fields of `NearOptions` that differ from their defaults, `workspace`: the folder whose
            decisions say which pairs are no duplicates, and `checks`: the names of the only checks to make.

    Raises:
        BadInput: the data cannot be read.
        Stopped: a viewer asked for it.
        DiskFull, JobGone: the folder cannot be written to.
    """
    folder.write_status(phase="opening the dataset")
    dataset = Dataset.open(payload.get("paths") or [], payload.get("format"), payload.get("columns"))
    wanted = None if payload.get("checks") is None else {flag_name(name) for name in payload["checks"]}
    checks = [check for check in CHECKS if wanted is None or check.name in wanted]
    near = None if payload.get("near") is None else NearOptions(**payload["near"])
    apart = read_ledger(payload["workspace"]).apart() if near and "workspace" in payload else ()
    out = folder.path / SCAN_FOLDER
    out.mkdir(exist_ok=True)
    before = Begun() if near else begun(out)
    written = time.monotonic()
    with ExitStack() as stack:
        # The texts lie beside the results meanwhile: there is room where the workspace is, not always in /tmp.
        gathered = stack.enter_context(gatherer(near, apart, out))
        evals = payload.get("eval_paths") or []
        said = Chosen(payload.get("eval_format") or AUTO, payload.get("eval_columns") or {})
        scanner = Scanner(dataset, eval_paths=evals, eval_chosen=said, checks=checks, near=gathered, begun=before)
        if not before.entries:
            for name in (FLAGS, BAD, KEYS):
                (out / name).unlink(missing_ok=True)
        flags, bad, keys = (stack.enter_context((out / name).open("ab")) for name in (FLAGS, BAD, KEYS))
        rows, bad_written = before.rows, len(before.bad)

        def should_stop() -> bool:
            return any(name != requests.SAVE for name in requests.pending(folder))

        def note(done: int) -> None:
            for file in (flags, bad, keys):
                file.flush()
            place = Begun(done, rows, flags.tell(), bad.tell()).to_json()
            _summary(out, scanner, rows, {"begun": place} if gathered is None else {})

        def progress(done: int, of: int) -> None:
            nonlocal written, bad_written
            for entry, line in scanner.bad[bad_written:]:
                write_bad(bad, entry, line)
            bad_written = len(scanner.bad)
            folder.write_progress(done, of, phase="scanning", unit="rows")
            if done > before.entries and (time.monotonic() - written > _PERIOD or should_stop()):
                written = time.monotonic()
                note(done)

        for scanned in watched(scanner, progress, should_stop):
            if scanned is None:
                continue
            rows += 1
            keys.write(pack(scanned.digest, scanned.occurrence))
            if scanned.flags:
                write_flags(flags, scanned.number, scanned.flags)
        phase = "comparing"

        def entered(name: str) -> None:
            nonlocal phase
            phase = name

        def searching(done: int, of: int) -> None:
            folder.write_progress(done, of, phase=phase, unit="")

        for number, flag in scanner.finish(ticking(searching, entered, should_stop)):
            write_flags(flags, number, (flag,))
        if gathered is not None:
            write_near(out, gathered.result, gathered.shared)
    near_found = {} if gathered is None else {"near": gathered.result.about()}
    _summary(out, scanner, rows, near_found, complete=True)
    folder.append_event("phase", f"Scanned {rows:,} rows.")
    folder.write_status(phase="done")


def _summary(out: Path, scanner: Scanner, rows: int, more: Mapping[str, Any], *, complete: bool = False) -> None:
    dataset = scanner.dataset
    bad_lines = tuple(scanner.bad_lines) if complete else ()
    read_as, unused = scanner.read_as.rows(), scanner.unused
    properties = scanner.properties if complete else ()
    result = ScanResult(
        rows,
        dataset.recognition,
        bad_lines,
        flags=scanner.counts,
        properties=properties,
        container=dataset.reader.container,
        read_as=read_as,
        unused=unused,
        eval_rows=scanner.eval_rows,
    )
    write_summary(out, result, dataset.count, more, complete=complete)


if __name__ == "__main__":
    os.nice(POLITE)
    sys.exit(main(sys.argv[1:]))
