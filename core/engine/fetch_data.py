"""Downloads one split of a Hub dataset into a JSONL file: `python -m core.engine.fetch_data FOLDER`.

A process of its own, because `datasets` takes seconds to import. Rows are streamed, so memory stays flat and nothing
lies on the disk twice; the file has its name only when it is whole.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.dataset.files.hub import file_name
from core.engine.network import check_network
from core.errors import BadInput, TunedeckError
from core.jobs import requests
from core.jobs.files import DiskFull, no_more_files
from core.jobs.folder import JobFolder

_PERIOD = 0.5
_FAILED, _BAD_INPUT, _STOPPED = 1, 2, 3


class _Stopped(Exception):
    """A viewer has asked for it."""


def main(argv: Sequence[str]) -> int:
    """The worker; `job.json` has the payload of `fetch`.

    Returns:
        The exit code: 0 done, 1 failed, 2 there is no such data, 3 stopped on request.
    """
    if len(argv) != 1:
        raise SystemExit("usage: python -m core.engine.fetch_data FOLDER")
    folder = JobFolder(argv[0])
    payload = folder.read_job().get("payload") or {}
    try:
        rows = fetch(folder, payload["name"], payload["parts"], Path(payload["into"]))
    except _Stopped:
        for name in requests.pending(folder):
            requests.done(folder, name, "The download was stopped.")
        return _STOPPED
    except TunedeckError as fault:
        # The viewer says which dataset.
        folder.write_status(state="failed", message=str(fault))
        return _BAD_INPUT if isinstance(fault, BadInput) else _FAILED
    folder.append_event("phase", f"{rows:,} rows downloaded.")
    folder.write_status(phase="done")
    return 0


def fetch(folder: JobFolder, name: str, parts: Sequence[str], into: Path) -> int:
    """Writes one split as JSONL.

    Args:
        folder: the job's, for progress.
        name: `org/name`, or a local folder that holds a dataset as the Hub does.
        parts: the config and the split as far as they are named, in any order.
        into: the folder that gets the file.

    Returns:
        How many rows were written.

    Raises:
        BadInput: no network, no such data, no access, or several to choose from; each with what to do.
        DiskFull: there is no room; what was written is removed.
    """
    if not Path(name).exists():
        check_network(
            "", "Download it elsewhere: hf download --repo-type dataset NAME --local-dir DIR; then copy DIR here"
        )
    folder.write_status(phase="Loading libraries")
    try:
        import datasets
    except ImportError:
        raise BadInput("This needs the package datasets", do="Install it: pip install 'tunedeck[train]'") from None
    folder.write_status(phase="Looking up the dataset")
    datasets.disable_progress_bars()
    try:
        config = _one_of("config", datasets.get_dataset_config_names(name), parts, name, "")
        split = _one_of("split", datasets.get_dataset_split_names(name, config), parts, name, config)
        unknown = [part for part in parts if part not in (config, split)]
        if unknown:
            raise BadInput(f"The dataset has no config or split {unknown[0]!r}", do=f"There is {config}:{split}")
        rows = datasets.load_dataset(name, config, split=split, streaming=True)
        total = ((rows.info.splits or {}).get(split) or _NoCount).num_examples
        return _write(folder, rows.decode(False), total or None, into / file_name(config, split))
    except TunedeckError:
        raise
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as fault:
        raise _explained(fault, datasets) from fault


class _NoCount:
    num_examples = None


def _one_of(what: str, present: Sequence[str], parts: Sequence[str], name: str, config: str) -> str:
    """The config or split that is meant: the one named, else the only one.

    Raises:
        BadInput: there are several; names them.
    """
    named = [each for each in present if each in parts]
    if len(named) == 1:
        return named[0]
    if len(present) == 1:
        return present[0]
    shown = ", ".join(present[:12]) + (", ..." if len(present) > 12 else "")
    example = present[0] if "train" not in present else "train"
    asked = [name, *([config] if config in parts else []), example]
    raise BadInput(f"The dataset has several {what}s: {shown}", do=f"Name one, for example {':'.join(asked)}")


def _write(folder: JobFolder, rows: Any, total: int | None, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    number = 0
    try:
        with temporary.open("wb") as file:
            for line in _lines(folder, rows, total):
                file.write(line)
                number += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as fault:
        import errno

        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            full = no_more_files(path.parent) or "The disk is full"
            what = f"{full}. Stopped after {number:,} rows, which were removed"
            raise DiskFull(what, where=str(path.parent), do="Free some space and try again") from fault
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return number


def _unpadded(value: Any) -> Any:
    """A column's value without the nulls with which Arrow pads structs, as `core.dataset.files.arrow_rows` has it."""
    if isinstance(value, dict):
        return {name: _unpadded(member) for name, member in value.items() if member is not None}
    return [_unpadded(each) for each in value] if isinstance(value, list) else value


def _lines(folder: JobFolder, rows: Any, total: int | None) -> Iterator[bytes]:
    reported_at = 0.0
    for number, row in enumerate(rows, 1):
        row = {name: _unpadded(value) for name, value in row.items()}
        yield json.dumps(row, ensure_ascii=False, default=_written).encode("utf-8", "backslashreplace") + b"\n"
        if time.monotonic() - reported_at > _PERIOD:
            reported_at = time.monotonic()
            folder.write_progress(number, total, phase="Downloading", unit="rows")
            if any(name != requests.SAVE for name in requests.pending(folder)):
                raise _Stopped


def _written(value: Any) -> str:
    """What JSON has no form for: dates as text, the bytes of pictures and sounds by their number."""
    return f"({len(value):,} bytes)" if isinstance(value, bytes) else str(value)


def _explained(fault: Exception, datasets: Any) -> TunedeckError:
    """A fault of the libraries as a sentence."""
    text = " ".join(str(fault).split())[:400]
    if "OfflineModeIsEnabled" in text or "HF_HUB_OFFLINE" in text:
        return BadInput("HF_HUB_OFFLINE is set, so nothing is downloaded", do="Unset it, or open a local copy")
    if "gated" in text.lower():
        do = "Request access on its Hub page, then log in here: hf auth login"
        return BadInput("The dataset is gated: you must request access first", do=do)
    if isinstance(fault, datasets.exceptions.DatasetNotFoundError):
        do = "Check the spelling; a private one needs a login: hf auth login"
        return BadInput("No such dataset on the Hub, or you have no access to it", do=do)
    if "script" in text.lower():
        do = "Download its files (hf download --repo-type dataset NAME) and open those"
        return BadInput("The dataset uses a loading script, which is not run", do=do)
    if isinstance(fault, ConnectionError):
        return BadInput(f"Cannot reach the Hub: {text}", do="Check the network, or open a local copy")
    return BadInput(f"Cannot download it: {text}", do="Open its files instead: hf download --repo-type dataset NAME")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
