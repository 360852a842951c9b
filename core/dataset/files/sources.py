"""From paths to a reader: what a file is, by its bytes first and its name second."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from core.dataset.files.inside import split_inside
from core.dataset.files.readers import JsonlReader, Reader, TextReader, TextUnit
from core.dataset.files.streams import ByteStream, GzipBytes, MemoryBytes, PlainBytes, transcoded
from core.dataset.files.unsupported import refuse_unsupported, unsupported_words
from core.dataset.records import Unreadable, parse_json
from core.errors import BadInput
from core.nearest import nearest_file

# The readers of other kinds than JSONL are imported where such a file is opened: `tunedeck FILE` is to show its first
# row as soon as it can, and most files are JSONL.

DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt")
"""What is taken from a folder, also with `.gz` or `.zst` after it (not Parquet and Arrow)."""

PACKED_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".zip")
"""Of files that are unpacked to be read; taken from a folder where nothing else there is data."""

SUPPORTED = f"{', '.join((*DATA_SUFFIXES, *PACKED_SUFFIXES))}, .gz and .zst"

_HEAD = 65_536
_PROBE = 4 * 2**20
_LINES, _DOCUMENT, _SEQUENCE = "lines", "document", "sequence"
_LFS = b"version https://git-lfs.github.com/spec/"
_MAGIC = {
    b"\xfd7zXZ\x00": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"\x7fELF": "an executable",
    b"FEA1": "a Feather version 1 file",
    b"SQLite format 3": "an SQLite database",
    b"GGUF": "model weights (GGUF)",
}
# Files of models, of Hugging Face datasets and of JavaScript, whose names end like data.
_OTHER = re.compile(
    r"(|adapter_|generation_|tokenizer_|processor_|preprocessor_|quantize_)config\.json|tokenizer\.json|vocab\.json"
    r"|special_tokens_map\.json|added_tokens\.json|merges\.txt|.*\.index\.json|trainer_state\.json"
    r"|dataset_infos?\.json|dataset_dict\.json|state\.json|package(-lock)?\.json|requirements.*\.txt|licen[cs]e.*\.txt"
)
_PACKED = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How zips, workbooks in zips, and the workbooks of Excel up to 2003 begin."""

_JSON = re.compile(rb'\s*(\[\s*)?\{\s*"([^"\\]|\\.)*+"\s*:', re.S)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def open_reader(
    paths: Sequence[str | Path],
    *,
    unit_of: Callable[[Path], TextUnit] = lambda file: "paragraph",
    encoding_of: Callable[[Path], str] = lambda file: "",
) -> Reader:
    """Opens files and folders of shards as one dataset; the first rows are there at once.

    Args:
        paths: files or folders, in source order; the files of a folder are taken sorted by name.
        unit_of: what of a plain text is a row, for each file.
        encoding_of: the encoding that was named for a file, "" for none.

    Raises:
        BadInput: nothing to read, with the reason: no such file, a folder without data, an empty file, a Git LFS
            pointer, binary data, no permission.
    """
    files = [split_inside(file) for path in paths for file in _files(Path(path))]
    if not files:
        raise BadInput("no data file given")

    def open_source(source: int) -> Reader:
        file, inside = files[source]
        return open_file(file, inside, unit=unit_of(file), encoding=encoding_of(file))

    if len(files) == 1:
        return open_source(0)
    from core.dataset.files.shards import ShardReader

    return ShardReader([file for file, _ in files], open_source)


def open_file(
    path: Path, inside: str = "", *, unit: TextUnit = "paragraph", encoding: str = "", packed: bool = True
) -> Reader:
    """Opens one file; as `open_reader`.

    Args:
        path: the file.
        inside: the sheet or the file in it that is meant, "" for the only one.
        unit: what of a plain text is a row.
        encoding: its encoding where it is not UTF-8, "" for none.
        packed: whether it may be a workbook or a zip.
    """
    head = _head(path)
    if head.startswith(_PACKED):
        if not packed:
            raise BadInput(
                "a zip or workbook inside a zip", where=str(path), do="Unpack the outer one and open the inner"
            )
        from core.dataset.files.unpacked import open_inside

        def open_copy(copy: Path) -> Reader:
            return open_file(copy, unit=unit, encoding=encoding, packed=False)

        request = {"suffixes": [*DATA_SUFFIXES, *PACKED_SUFFIXES], "other": _OTHER.pattern}
        return open_inside(path, inside, open_copy, request)
    if inside:
        raise BadInput("only workbooks and zips hold files or sheets", where=f"{path}:{inside}", do=f"Open {path}")
    if head.startswith(b"PAR1"):
        from core.dataset.files.parquet import ParquetReader

        return ParquetReader(path)
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        from core.dataset.files.arrow import ArrowReader

        return _with_rows(path, ArrowReader(path, stream=not head.startswith(b"ARROW1")))
    stream: ByteStream = PlainBytes(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if head.startswith(b"\x1f\x8b"):
        stream = GzipBytes(path)
        head = stream.read(0, _HEAD)
        if stream.fault and not head:
            raise BadInput(stream.fault, where=str(path))
        if suffixes[-1:] == [".gz"]:
            suffixes.pop()
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        from core.dataset.files.zstd import ZstdBytes

        stream = ZstdBytes(path)
        head = stream.read(0, _HEAD)
        if stream.fault and not head:
            raise BadInput(stream.fault, where=str(path))
        if suffixes[-1:] in ([".zst"], [".zstd"]):
            suffixes.pop()
    _refuse(path, head)
    encoding = _wide_encoding(head) or encoding
    if encoding:
        stream = transcoded(path, encoding, stream)
        head = stream.read(0, _HEAD)
    start = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    return _with_rows(path, _by_content(path, suffixes[-1] if suffixes else "", stream, head[start:], start, unit))


def _with_rows(path: Path, reader: Reader) -> Reader:
    while not reader.count and not reader.complete:
        reader.extend(0.02)
    if not reader.count:
        why = "; ".join(bad.reason for bad in reader.faults()[:1])
        raise BadInput("no rows in the file" + (f": {why}" if why else ""), where=str(path))
    return reader


def _by_content(path: Path, suffix: str, stream: ByteStream, head: bytes, start: int, unit: TextUnit) -> Reader:
    # Names lie: JSON lines come as .csv and .txt, tables as .jsonl and without any suffix.
    is_json = _JSON.match(head) is not None
    refuse_unsupported(path, suffix, head, is_json=is_json)
    if not is_json and (suffix in (".csv", ".tsv") or (suffix not in (".txt", ".md") and _is_table(head))):
        from core.dataset.files.table import TableReader

        return TableReader(path, stream, start, delimiter="\t" if suffix == ".tsv" else None)
    first = head.lstrip()[:1]
    if suffix in (".txt", ".md") and not is_json:
        return TextReader(path, stream, start, unit=unit)
    layout = _layout(stream, start, head, suffix) if first in (b"[", b"{") else _LINES
    if layout != _LINES:
        from core.dataset.files.document import ArrayReader

        return ArrayReader(path, stream, start, sequence=layout == _SEQUENCE)
    if first in (b"[", b"{") or suffix in (".jsonl", ".ndjson", ".json"):
        return JsonlReader(path, stream, start)
    return TextReader(path, stream, start, unit=unit)


def _is_table(head: bytes) -> bool:
    if head.lstrip()[:1] in (b"", b"[", b"{"):
        return False
    from core.dataset.files.table import looks_like_table

    return looks_like_table(head, whole=len(head) < _HEAD)


def _layout(stream: ByteStream, start: int, head: bytes, suffix: str) -> str:
    """Whether JSON text is one value a line, one document that holds the rows, or objects over several lines each."""
    text = head.lstrip()
    lines = suffix in (".jsonl", ".ndjson")
    first_line, line_end, rest = text.partition(b"\n")
    if line_end or len(head) < _HEAD:
        try:
            value, _ = parse_json(first_line.strip())
        except Unreadable:
            # A line that opens an array or object and does not end it; in JSONL that is a broken first line.
            if lines and first_line.strip() not in (b"[", b"{"):
                return _LINES
        else:
            if rest.strip():
                return _LINES
            return _DOCUMENT if isinstance(value, list) or (not lines and _holds_rows(value)) else _LINES
    return _DOCUMENT if text.startswith(b"[") else _object_layout(stream, start, line_end)


def _object_layout(stream: ByteStream, start: int, line_end: bytes) -> str:
    """As `_layout`, for text that begins with an object of several lines, or of one line longer than the head."""
    from core.dataset.files.array_index import ArrayIndex

    text = stream.read(start, _PROBE)
    index = ArrayIndex(MemoryBytes(text))
    index.extend()
    if index.end_of_value < 0:  # longer than the probe: a row of that length is less likely than a document
        return _DOCUMENT if index.count > 1 else _LINES
    several = _SEQUENCE if line_end and b"\n" in text[: index.end_of_value].strip() else _LINES
    if text[index.end_of_value :].strip():
        return several
    try:
        value, _ = parse_json(text[: index.end_of_value].strip())
    except Unreadable:
        return _DOCUMENT
    return _DOCUMENT if _holds_rows(value) else several


def _holds_rows(value: object) -> bool:
    """Whether an object is not itself a row: it is of no known format, and has rows in an array or under keys."""
    from core.dataset.formats import recognize

    if not isinstance(value, dict) or recognize([value]).known:
        return False
    inner = list(value.values())
    arrays = any(isinstance(each, list) and each and isinstance(each[0], dict) for each in inner)
    return arrays or (bool(inner) and all(isinstance(each, dict) for each in inner))


def _files(path: Path) -> list[Path]:
    """The file itself, or the data files of a folder, its sub-folders included."""
    path = path.expanduser()
    try:
        mode = path.stat().st_mode
    except OSError as fault:
        if split_inside(path)[1]:
            return [path]
        raise _unopened(path, fault) from None
    if not stat.S_ISDIR(mode):
        return [path]
    found, packed, others = [], [], []
    for folder, subfolders, names in os.walk(path):
        # Hidden folders are caches and version control; a folder with a job.json is a run of ours.
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        if "job.json" in names:
            subfolders.clear()
        elif "dataset_dict.json" in names and len(subfolders) > 1:
            raise BadInput(
                f"the folder has several splits: {', '.join(sorted(subfolders))}",
                where=folder,
                do=f"Open one of them: {Path(folder) / sorted(subfolders)[-1]}",
            )
        elif "state.json" in names and (shards := _saved_shards(Path(folder))):
            found += shards  # what else lies there are caches
        else:
            found += [Path(folder) / name for name in names if _is_data(name)]
            others += names
            packed += [Path(folder) / name for name in names if _is_packed(name)]
    # Text beside data is a license or a list of requirements; alone it is the data.
    found = [file for file in found if not _is_text(file)] or packed or found
    if not found:
        unread = unsupported_words(others)
        raise BadInput(
            f"no data files in this folder{f'; {unread} are not supported' if unread else ''}",
            where=str(path),
            do=f"Supported files: {SUPPORTED}",
        )
    return sorted(found)


def _saved_shards(folder: Path) -> list[Path]:
    """The files of a dataset that Hugging Face `datasets` saved to disk; none where it is no such folder."""
    try:
        state, _ = parse_json((folder / "state.json").read_bytes())
        return [folder / Path(each["filename"]).name for each in state["_data_files"]]
    except (OSError, Unreadable, KeyError, TypeError):
        return []


def _is_data(name: str) -> bool:
    lower = name.lower().removesuffix(".gz").removesuffix(".zst")
    return lower.endswith(DATA_SUFFIXES) and not lower.startswith((".", "_")) and not _OTHER.fullmatch(lower)


def _is_packed(name: str) -> bool:
    return name.lower().endswith(PACKED_SUFFIXES) and not name.startswith((".", "_", "~"))


def _is_text(file: Path) -> bool:
    return file.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(".txt")


def _head(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadInput("not a regular file", where=str(path))
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as fault:
        raise _unopened(path, fault) from None
    if not head:
        raise BadInput("the file is empty", where=str(path))
    return head


def _unopened(path: Path, fault: OSError) -> BadInput:
    if isinstance(fault, FileNotFoundError):
        if near := nearest_file(path):
            return BadInput("no such file or folder", where=str(path), do=f"Did you mean `{near}`?")
        remedy = "Check the spelling, or give the full path"
        if re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)) and not path.suffix:
            remedy += "; a Hub dataset ID is org/name, org/name:split or org/name:config:split"
        return BadInput("no such file or folder", where=str(path), do=remedy)
    if isinstance(fault, PermissionError):
        return BadInput(
            "no permission to read this file", where=str(path), do=f"Ask its owner, or: chmod u+r {path.name}"
        )
    return BadInput(f"cannot be read: {fault.strerror or fault}", where=str(path))


def _refuse(path: Path, head: bytes) -> None:
    """Turns away what bears a data file's name and is none."""
    if head.startswith(_LFS):
        size = re.search(rb"^size (\d+)", head, re.M)
        what = "this is a Git LFS pointer, not the data itself"
        if size:
            what += f" ({int(size.group(1)):,} bytes not downloaded)"
        raise BadInput(what, where=str(path), do="Download it: git lfs pull")
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            do = "Save its text as .txt and open that" if name == "a PDF" else ""
            raise BadInput(f"this is {name}, not a data file", where=str(path), do=do)
    if _wide_encoding(head):
        return
    sample = head[:4_096]
    if len(_CONTROL.findall(sample)) > len(sample) // 20:
        raise BadInput(
            "this is binary data, not text",
            where=str(path),
            do=f"Supported files: {SUPPORTED}",
        )


def _wide_encoding(head: bytes) -> str:
    """The name of a UTF-16 or UTF-32 encoding, told by its mark or by where its zero bytes stand; "" for others."""
    for mark, encoding in ((b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32")):
        if head.startswith(mark):
            return encoding
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16"
    sample = head[:512]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if len(sample) >= 4 and odd > len(sample) // 5 and not even:
        return "UTF-16-LE"
    if len(sample) >= 4 and even > len(sample) // 5 and not odd:
        return "UTF-16-BE"
    return ""
