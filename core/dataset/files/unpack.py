"""Unpacks one sheet of a workbook, or one file of a zip: `python -m core.dataset.files.unpack REQUEST`.

A separate process with limits, because such files can unpack to anything: a sheet of a few kilobytes can name a cell in
row 1,048,576 of column XFD, and a zip of a megabyte can hold a terabyte. It prints one JSON object and imports nothing
of the rest of the program.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

MEMORY = 512 * 2**20
SECONDS = 60
MOST_BYTES = 2 * 2**30
"""What a child may take: address space, time, and bytes that it writes."""

_CHUNK = 2**20
_BOMB_RATIO = 500
_BOMB_BYTES = 64 * 2**20
_SHOWN = 12
INSTALL = "Install it: pip install 'tunedeck[excel]'"
EXCEL = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
"""How workbooks begin that are no zip: those of Excel up to 2003."""

_KINDS = (
    ("xl/workbook.xml", "excel"),
    ("xl/workbook.bin", "excel"),
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint file"),
    ("META-INF/container.xml", "an e-book"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("AndroidManifest.xml", "an Android app"),
)


class Refused(Exception):
    """It cannot be unpacked: what, and what to do."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.do = do


def main(argv: Sequence[str]) -> int:
    """Unpacks as the request says, and prints what came of it.

    Args:
        argv: one argument, a JSON object: `path` of the file, `inside` (a sheet or member, "" for the only one), `out`
            (the copy, without suffix), `suffixes` of data files, `other` (a pattern of files that are none), and
            `memory`, `seconds`, `bytes`.
    """
    request = json.loads(argv[0])
    _limit(request["memory"], request["seconds"], request["bytes"])
    try:
        answer = unpack(request)
    except Refused as refused:
        answer = {"error": str(refused), "do": refused.do}
    except MemoryError:
        answer = {"error": too_much_memory(request["memory"]), "do": CONVERT}
    except OSError as fault:
        if fault.errno == errno.EFBIG:
            answer = {"error": f"unpacks to more than {request['bytes'] >> 20:,} MiB", "do": UNPACK}
        elif fault.errno in (errno.ENOSPC, errno.EDQUOT):
            answer = {"error": "the disk is full, so it cannot be unpacked", "do": "Free some space and try again"}
        else:
            answer = {"error": f"cannot be unpacked: {fault.strerror or fault}"}
    sys.stdout.write(json.dumps(answer))
    return 0


CONVERT = "Save it as CSV or JSONL and open that"
UNPACK = "Unpack it yourself and open the file"


def too_much_memory(limit: int) -> str:
    """What is said where the memory was not enough."""
    return f"needs more than {limit >> 20:,} MiB of memory to read"


def _limit(memory: int, seconds: int, most: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write says so instead


def unpack(request: Mapping[str, Any]) -> dict[str, Any]:
    """Unpacks into `out` with a suffix.

    Returns:
        `kind` (`excel` or `zip`), `copy`, `inside` (the sheet or member), `others`.

    Raises:
        Refused: it is something else, or what is meant inside it is not clear.
    """
    path, inside = Path(request["path"]), request["inside"]
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(EXCEL):
        return _sheet(path, inside, request["out"])
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            kind = next((kind for name, kind in _KINDS if name in names), "")
            if not kind and "mimetype" in names and "content.xml" in names:
                kind = "excel" if b"spreadsheet" in archive.read("mimetype")[:200] else "an OpenDocument file"
            if not kind:
                return _member(archive, inside, request)
    except zipfile.BadZipFile:
        raise Refused("the zip archive is damaged or cut short", "Copy or download it again") from None
    if kind != "excel":
        raise Refused(f"this is {kind}, not a data file", "Save its text as .txt, or its tables as .csv, and open that")
    return _sheet(path, inside, request["out"])


def _member(archive: zipfile.ZipFile, inside: str, request: Mapping[str, Any]) -> dict[str, Any]:
    other = re.compile(request["other"])
    files = [each for each in archive.infolist() if not each.is_dir()]
    visible = [each for each in files if not re.search(r"(^|/)(__MACOSX/|_|[.](?![.]?/))", each.filename)]
    if any(each.filename.endswith(("/data.pkl", ".pkl", ".npy")) for each in files):
        raise Refused("this is saved arrays or model weights in a zip, not a data file")
    data = [each for each in visible if _is_data(each.filename, request["suffixes"], other)]
    # Text beside data is a license or a list of requirements; alone it is the data.
    data = [each for each in data if not each.filename.lower().endswith(".txt")] or data
    if inside:
        chosen = next((each for each in files if each.filename == inside), None)
        if chosen is None:
            raise Refused(f"no file {inside!r} in the zip", f"It holds {_named([each.filename for each in visible])}")
    elif len(data) == 1 or (not data and len(visible) == 1):
        chosen = (data or visible)[0]
    elif data:
        names = [each.filename for each in data]
        raise Refused(
            f"the zip holds {len(data):,} data files: {_named(names)}",
            f"Name one, such as {request['path']}:{names[0]}, or unpack it and open the folder",
        )
    else:
        raise Refused("no data file in the zip", f"It holds {_named([each.filename for each in files]) or 'nothing'}")
    suffix = "".join(Path(chosen.filename).suffixes[-2:])
    copy = f"{request['out']}{suffix if re.fullmatch(r'(?:[.][A-Za-z0-9]{1,8}){1,2}', suffix) else '.txt'}"
    written = 0
    try:
        with archive.open(chosen) as source, open(copy, "wb") as target:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > _BOMB_BYTES and written > _BOMB_RATIO * max(1, chosen.compress_size):
                    raise Refused(f"unpacks to more than {_BOMB_RATIO} times its size (a decompression bomb)", UNPACK)
                target.write(chunk)
    except RuntimeError:
        raise Refused(f"{chosen.filename} is encrypted", "Unpack it with its password and open the file") from None
    except NotImplementedError:
        raise Refused(f"{chosen.filename} is packed by a method that cannot be read here", UNPACK) from None
    except (zipfile.BadZipFile, EOFError, ValueError) as fault:
        raise Refused(f"{chosen.filename} is damaged in the zip: {fault}", "Copy or download it again") from None
    except Exception as fault:
        if type(fault).__module__ in ("zlib", "lzma", "_lzma", "bz2"):
            raise Refused(f"{chosen.filename} is damaged in the zip: {fault}", "Copy it again") from None
        raise
    rest = [each.filename for each in data if each is not chosen]
    return {"kind": "zip", "copy": copy, "inside": chosen.filename, "others": rest}


def _is_data(name: str, suffixes: Sequence[str], other: re.Pattern[str]) -> bool:
    lower = name.rsplit("/", 1)[-1].lower().removesuffix(".gz").removesuffix(".zst")
    return lower.endswith(tuple(suffixes)) and other.fullmatch(lower) is None


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(name[:80] for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _sheet(path: Path, inside: str, out: str) -> dict[str, Any]:
    try:
        import python_calamine as calamine
    except ImportError:
        raise Refused("reading Excel requires python-calamine", INSTALL) from None
    try:
        book = calamine.load_workbook(os.fspath(path))
    except calamine.PasswordError:
        raise Refused("the workbook is protected by a password", "Save it without one and open that") from None
    except (calamine.CalamineError, calamine.ZipError, calamine.XmlError, OSError) as fault:
        raise Refused(f"not a readable Excel or OpenDocument file: {fault}", CONVERT) from None
    kinds = calamine.SheetTypeEnum
    sheets = [each.name for each in book.sheets_metadata if each.typ == kinds.WorkSheet]
    hidden = {each.name for each in book.sheets_metadata if each.visible != calamine.SheetVisibleEnum.Visible}
    if inside and inside not in sheets:
        raise Refused(f"no sheet {inside!r} in the workbook", f"Sheets: {_named(sheets)}")
    copy = f"{out}.jsonl"
    why = "the workbook has no sheets"
    for name in [inside] if inside else [name for name in sheets if name not in hidden]:
        try:
            rows = _write(book.get_sheet_by_name(name), copy)
        except calamine.CalamineError as damage:
            raise Refused(f"the sheet {name!r} cannot be read: {damage}", CONVERT) from None
        except Refused:
            if inside or len(sheets) == 1:
                raise
            continue  # another sheet may be the table
        if rows:
            return {"kind": "excel", "copy": copy, "inside": name, "others": [each for each in sheets if each != name]}
        why = f"the sheet {name!r} has no rows below its header"
    raise Refused(why if len(sheets) < 2 or inside else f"no sheet with a header and rows: {_named(sheets)}")


def _write(sheet: Any, copy: str) -> int:
    """Writes a sheet's rows as JSON lines, each in the line of its number in the sheet; returns how many there are.

    The first row with two cells or more names the columns; a title above it is none.
    """
    if sheet.start is None:
        return 0
    names: list[str] = []
    written, first = 0, sheet.start[1]
    with open(copy, "w", encoding="utf-8") as file:
        for cells in sheet.iter_rows():
            values = [_value(cell) for cell in cells]
            filled = sum(value is not None for value in values)
            if names and filled:
                file.write(json.dumps(_row(names, values, sheet.name, first), ensure_ascii=False) + "\n")
                written += 1
                continue
            if filled > 1 or (filled and sheet.width == 1):
                names = _header(values)
            file.write("\n")
    return written


def _row(names: Sequence[str], values: Sequence[Any], sheet: str, first: int) -> dict[str, Any]:
    for at, value in enumerate(values):
        if value is not None and not (at < len(names) and names[at]):
            place = f"column {_column(first + at)} of the sheet {sheet!r}"
            raise Refused(f"{place} has cells, but no name in the header", "Give the column a name in the header")
    return {name: value for name, value in zip(names, values, strict=False) if name}


def _header(values: Sequence[Any]) -> list[str]:
    names = ["" if value is None else str(value).strip() for value in values]
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if twice:
        raise Refused(f"two columns have the name {twice[:60]!r}", "Give each column a unique name")
    return names


def _column(number: int) -> str:
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _value(cell: Any) -> Any:
    """A cell as JSON: whole numbers without a point, dates as ISO 8601, nothing as null."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, (bool, int, str)):
        return cell
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def run() -> NoReturn:
    """Ends the process without tearing down what the libraries hold."""
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
