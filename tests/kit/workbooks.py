"""Workbooks for tests, as small as Excel's format allows."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

_HEAD = '<?xml version="1.0"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

Cell = str | float | bool | None


def write_workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]], *, hidden: Sequence[str] = ()) -> Path:
    """Writes a workbook; a sheet is its rows, from the first row and column on."""
    parts = {name: ["".join(_row(n, row) for n, row in enumerate(rows, 1))] for name, rows in sheets.items()}
    return write_parts(path, parts, hidden)


def write_parts(path: Path, sheets: Mapping[str, Iterable[str]], hidden: Sequence[str] = ()) -> Path:
    """Writes a workbook whose sheets are given as XML, in parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        target = f'<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{target}</Relationships>')
        states = dict.fromkeys(hidden, ' state="hidden"')
        named = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="r{n}"{states.get(name, "")}/>'
            for n, name in enumerate(sheets, 1)
        )
        book = f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        links = "".join(
            f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{links}</Relationships>'
        )
        for n, parts in enumerate(sheets.values(), 1):
            with archive.open(f"xl/worksheets/sheet{n}.xml", "w") as file:
                file.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
                for part in parts:
                    file.write(part.encode())
                file.write(b"</sheetData></worksheet>")
    return path


def _row(number: int, cells: Sequence[Cell]) -> str:
    return f'<row r="{number}">{"".join(_cell(number, at, cell) for at, cell in enumerate(cells))}</row>'


def _cell(row: int, at: int, cell: Cell) -> str:
    place = f'r="{chr(65 + at)}{row}"'
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return f'<c {place} t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
    return f"<c {place}><v>{cell}</v></c>"
