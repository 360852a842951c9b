"""Encoded samples as columns in the memory layout of Arrow: lists of token ids, and what else a trainer reads."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.engine.encoded import EncodingSettings
from core.recipe.tasks.task import ColumnKind

_CODES: Mapping[ColumnKind, str] = {"flag": "b", "number": "d", "text": "s", "json": "j"}
"""Column kind to the code of its values; token ids have the narrowest that holds them all."""

_BYTES = ("s", "j")
_SCALARS = ("b", "d")


def column_codes(settings: EncodingSettings, vocabulary: int) -> dict[str, str]:
    """Column to the code of its values, in the order of the task.

    A list of token ids has the type code (`array.array`) of the narrowest numbers that hold every id, and `MASKED` in
    labels: `h`, `H` or `i`. A flag is `b`, a number `d`, a text `s`, and a JSON value `j`.
    """
    small = "h" if vocabulary <= 2**15 else "H" if vocabulary <= 2**16 else "i"
    codes = {}
    for name, kind in settings.columns.items():
        codes[name] = ("i" if name.endswith("labels") and small == "H" else small) if kind == "tokens" else _CODES[kind]
    return codes


class EncodedBlock:
    """Encoded samples as columns, in the memory layout of Arrow.

    Args:
        codes: as `column_codes` gives them.
        rows: how many rows `parts` hold.
        parts: of another block, see `parts`; empty for a block without rows.
    """

    def __init__(self, codes: Mapping[str, str], rows: int = 0, parts: Sequence[array[Any]] = ()) -> None:
        self._codes = dict(codes)
        self._rows = rows
        self._values: dict[str, array[Any]] = {}
        self._offsets: dict[str, array[int]] = {}
        given = iter(parts or [array(code, [0] if first else []) for code, first in _part_codes(codes)])
        for name, code in codes.items():
            if code not in _SCALARS:
                self._offsets[name] = next(given)
            self._values[name] = next(given)

    def __len__(self) -> int:
        """Samples, or chunks of samples."""
        return self._rows

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows of the trainer's dataset."""
        for row in rows:
            self._rows += 1
            for name, code in self._codes.items():
                values, value = self._values[name], row[name]
                if code in _SCALARS:
                    values.append(value)
                    continue
                if code in _BYTES:
                    values.frombytes((value if code == "s" else json.dumps(value, ensure_ascii=False)).encode())
                else:
                    values.extend(value)
                self._offsets[name].append(len(values))

    def parts(self) -> list[array[Any]]:
        """All of it: for each column in turn the offsets, where it has any, and the values."""
        found: list[array[Any]] = []
        for name in self._codes:
            if name in self._offsets:
                found.append(self._offsets[name])
            found.append(self._values[name])
        return found

    def batch(self) -> Any:
        """All of it as a `pyarrow.RecordBatch`, without a copy but of flags."""
        import pyarrow as pa

        types = {"i": pa.int32(), "h": pa.int16(), "H": pa.uint16()}
        columns = []
        for name, code in self._codes.items():
            values, offsets = pa.py_buffer(self._values[name]), self._offsets.get(name)
            if code == "b":
                column = pa.Array.from_buffers(pa.int8(), self._rows, [None, values]).cast(pa.bool_())
            elif code == "d":
                column = pa.Array.from_buffers(pa.float64(), self._rows, [None, values])
            elif code in _BYTES:
                column = pa.Array.from_buffers(pa.string(), self._rows, [None, pa.py_buffer(offsets), values])
                if code == "j":
                    column = pa.ExtensionArray.from_storage(pa.json_(), column)
            else:
                inner = pa.Array.from_buffers(types[code], len(self._values[name]), [None, values])
                buffers = [None, pa.py_buffer(offsets)]
                column = pa.Array.from_buffers(pa.list_(inner.type), self._rows, buffers, children=[inner])
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, names=list(self._codes))


def part_types(codes: Mapping[str, str]) -> list[str]:
    """The type codes (`array.array`) of the parts of a block."""
    return [code for code, _ in _part_codes(codes)]


def _part_codes(codes: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Of each part its type code, and whether it is offsets."""
    found = []
    for code in codes.values():
        if code not in _SCALARS:
            found.append(("i", True))
        found.append(("B" if code in _BYTES else code, False))
    return found


def rows_of(table: Any, codes: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of a `pyarrow.Table` of blocks, with JSON values as what they are."""
    named = [name for name, code in codes.items() if code == "j"]
    rows: list[dict[str, Any]] = table.to_pylist()
    return [{**row, **{name: json.loads(row[name]) for name in named}} for row in rows] if named else rows
