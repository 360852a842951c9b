"""Files that are not read, by name or by how they begin: what each is, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import BadInput

_TABLES = "Save its rows as JSONL or CSV and open that"
_TEXTS = "Save its text as .txt and open that"
_BY_SUFFIX = {
    **dict.fromkeys((".yaml", ".yml"), ("YAML", _TABLES)),
    ".toml": ("TOML", _TABLES),
    **dict.fromkeys((".xml", ".tei", ".rss"), ("XML", _TABLES)),
    **dict.fromkeys((".html", ".htm", ".xhtml"), ("HTML", _TEXTS)),
    **dict.fromkeys((".docx", ".doc", ".odt", ".rtf"), ("a text document with layout", _TEXTS)),
    **dict.fromkeys((".pptx", ".ppt", ".odp"), ("a presentation", _TEXTS)),
    **dict.fromkeys((".epub", ".mobi"), ("an e-book", _TEXTS)),
    ".pdf": ("a PDF", _TEXTS),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), ("a pickle, which can run code when it is read", _TABLES)),
    **dict.fromkeys((".pt", ".pth", ".safetensors", ".gguf", ".bin"), ("model weights", "")),
    **dict.fromkeys((".npy", ".npz", ".h5", ".hdf5"), ("saved arrays", _TABLES)),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb"), ("a database", "Export the table as CSV and open that")),
    **dict.fromkeys((".tfrecord", ".avro", ".orc", ".msgpack"), ("a binary format that is not read", _TABLES)),
    **dict.fromkeys((".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2"), ("an archive", "Unpack it and open the folder")),
    ".ini": ("settings", _TABLES),
    ".sql": ("SQL", "Export the table as CSV and open that"),
}
_BY_HEAD = (
    (re.compile(rb"\s*<\?xml\b"), ".xml"),
    (re.compile(rb"\s*<!doctype html|\s*<html\b", re.I), ".html"),
    (re.compile(rb"%YAML|---\s*(?:#[^\n]*\n\s*)*\n\s*(?:- )?\w+:(?:\s|$)"), ".yaml"),
    (re.compile(rb"\{\\rtf"), ".rtf"),
)


def refuse_unsupported(path: Path, suffix: str, head: bytes, *, is_json: bool) -> None:
    """Turns away a file of a kind that is not read.

    Args:
        path: the file.
        suffix: its last suffix, lower case, without that of a compression.
        head: how its text begins.
        is_json: whether that is JSON, which is read whatever the name says.

    Raises:
        BadInput: naming the kind, and what to do.
    """
    if is_json:
        return
    found = _BY_SUFFIX.get(suffix)
    if found is None and suffix not in (".txt", ".md"):
        found = next((_BY_SUFFIX[kind] for pattern, kind in _BY_HEAD if pattern.match(head)), None)
    if found is not None:
        what, do = found
        raise BadInput(f"this is {what}, which is not supported as data", where=str(path), do=do)


def unsupported_words(names: list[str]) -> str:
    """What of the files in a folder is named like data that is not read: "3 .yaml files"; "" for nothing."""
    counts: dict[str, int] = {}
    for name in names:
        suffix = Path(name).suffix.lower()
        if suffix in _BY_SUFFIX:
            counts[suffix] = counts.get(suffix, 0) + 1
    most = sorted(counts.items(), key=lambda each: -each[1])[:3]
    return ", ".join(f"{count:,} {suffix} file{'s' * (count != 1)}" for suffix, count in most)
