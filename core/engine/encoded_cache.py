"""Encoded samples on disk, so that a resume and the other ranks of a run open them: `.tunedeck/encoded/KEY/`.

A folder holds `samples.arrow` (the trainer's columns, memory-mapped), `each.bin` (`EncodingSummary.each`) and, written
last, `about.json` with the key, the checksum of both files and the rest of the summary. The key changes with all that
decides a token: the view, the tokenizer, the template, every setting of the encoding, and the code that encodes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
import zlib
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core import timestamps
from core.engine.columns import EncodedBlock
from core.engine.encoded import EncodingSettings
from core.engine.samples import EncodingSummary
from core.jobs import files
from core.recipe.tasks import TASKS

MOST = 3
"""A cache takes at most this many times the bytes of its view; a longer one is not kept."""
KEPT = 4
"""Caches that stay in a workspace, those that were opened last."""

_SAMPLES, _EACH, _ABOUT = "samples.arrow", "each.bin", "about.json"
_BUILDING = ".building-"
_LOCK = ".lock"
_STALE = 3_600
_SLICE = 2**26
_VERSION = 3
_PACKAGES = ("transformers", "tokenizers", "jinja2")
_DATA_CODE = ("sample", "plain", "without", "control_text", "rendered")
_CODE = ("encode", "rendered", "encoded", "columns", "samples", "template", "plain_tokenizer", "encode_piece", "plain")


def encoded_key(view: Path, tokenizer: Any, settings: EncodingSettings) -> str:
    """Names the cache of a view: sixteen characters.

    Args:
        view: a file of a curated view; its size, its checksum and the fingerprint in the manifest beside it stand for
            it. Not its time: a run touches its files when it starts.
        tokenizer: of the model.
        settings: of the encoding.
    """
    manifest = files.read_json(os.fspath(view.with_name("manifest.json"))) or {}
    today = timestamps.text(time.time(), "%Y-%m-%d") if "strftime_now" in settings.template.text else ""
    named = (tokenizer.special_tokens_map, tokenizer.chat_template, bool(tokenizer.split_special_tokens))
    parts = [
        _VERSION,
        [view.name, _checksum(view), manifest.get("fingerprint", "")],
        [type(tokenizer).__name__, *named, hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()],
        [settings.to_json(), list(settings.columns.items()), today],
        [importlib.metadata.version(name) for name in _PACKAGES],
        _code(),
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def lock_name(key: str) -> str:
    """The file that who makes a cache holds locked."""
    return f".{key}{_LOCK}"


def _code() -> str:
    """Changes with the modules that turn samples into tokens."""
    here = Path(__file__)
    data = here.parents[1] / "dataset"
    encoders = sorted({task.encoder for task in TASKS.values()})
    paths = [here.with_name(f"{name}.py") for name in (*_CODE, *encoders)]
    paths += [data / f"{name}.py" for name in _DATA_CODE]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def open_encoded(folder: Path) -> tuple[Any, EncodingSummary] | None:
    """The samples of a cache as a `pyarrow.Table` that lies on the disk, and what was found in them.

    Returns:
        None where there is no cache of that name, or where it is damaged.
    """
    import pyarrow as pa

    about = files.read_json(os.fspath(folder / _ABOUT)) or {}
    if about.get("key") != folder.name or about.get("checksum") != _checksums(folder):
        return None
    try:
        each = array("I", (folder / _EACH).read_bytes())
        summary = EncodingSummary.from_json(about["summary"], each)
        table = pa.ipc.open_file(pa.memory_map(os.fspath(folder / _SAMPLES))).read_all()
        os.utime(folder / _ABOUT)  # opened last
    except PermissionError:  # of somebody else, who sees to its time
        pass
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return table, summary


class EncodedWriter:
    """Writes a cache block by block.

    Args:
        folder: where it is going to be.
        schema: of the blocks.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path, schema: Any) -> None:
        import pyarrow as pa

        self._folder = folder
        self._building = folder.with_name(f"{_BUILDING}{folder.name}-{os.getpid()}")
        self._building.mkdir(parents=True, exist_ok=True)
        self._stream = pa.ipc.new_file(os.fspath(self._building / _SAMPLES), schema)

    def add(self, block: EncodedBlock) -> None:
        """Appends samples.

        Raises:
            OSError: the disk is full.
        """
        self._stream.write_batch(block.batch())

    def finish(self, summary: EncodingSummary) -> int:
        """Gives the cache its name, and says how many bytes it has.

        Raises:
            OSError: the disk is full.
        """
        self._stream.close()
        (self._building / _EACH).write_bytes(summary.each)
        about = {"key": self._folder.name, "checksum": _checksums(self._building), "summary": summary.to_json()}
        (self._building / _ABOUT).write_bytes(files.encode(about))
        size = sum(path.stat().st_size for path in self._building.iterdir())
        shutil.rmtree(self._folder, ignore_errors=True)  # a damaged one
        self._building.rename(self._folder)
        return size

    def drop(self) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self._building, ignore_errors=True)


def sweep_encoded(parent: Path, *, kept: int = KEPT) -> None:
    """Removes all but the caches that were opened last, and what killed processes left an hour ago.

    Who has one open keeps it: its file stays until it is closed.
    """
    times: dict[Path, float] = {}
    for path in _entries(parent):
        written = path / _SAMPLES if path.name.startswith(_BUILDING) else path / _ABOUT
        try:
            times[path] = (path if path.suffix == _LOCK else written).stat().st_mtime
        except OSError:
            continue
    whole = sorted((path for path in times if not path.name.startswith(".")), key=times.__getitem__, reverse=True)
    # Who waits at a lock file that goes encodes for itself.
    left = [path for path in times if path.name.startswith(".") and time.time() - times[path] > _STALE]
    for path in [*whole[kept:], *left]:
        if path.suffix == _LOCK:
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _entries(parent: Path) -> list[Path]:
    try:
        return list(parent.iterdir())
    except OSError:
        return []


def _checksums(folder: Path) -> list[list[int]]:
    """Those of the two files; [] where one cannot be read."""
    try:
        return [_checksum(folder / name) for name in (_SAMPLES, _EACH)]
    except OSError:
        return []


def _checksum(path: Path) -> list[int]:
    """Size of a file and CRC-32 of each slice of it."""
    with path.open("rb") as stream:

        def crc(start: int) -> int:
            return zlib.crc32(os.pread(stream.fileno(), _SLICE, start))

        size = os.fstat(stream.fileno()).st_size
        with ThreadPoolExecutor(4) as pool:
            return [size, *pool.map(crc, range(0, size, _SLICE))]
