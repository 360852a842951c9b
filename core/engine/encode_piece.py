"""Encodes pieces of a curated view for `core.engine.encode_all`: `python -m core.engine.encode_piece VIEW`.

The first line of standard input is JSON, `{"tokenizer": PlainTokenizer, "settings": EncodingSettings}`; so a killed run
leaves no file of it behind. Each line after that asks for a piece, `{"start", "end"}` in bytes of VIEW. The answer on
standard output is a line of JSON, `{"summary", "rows", "sizes"}`, and then the bytes of `EncodedBlock.parts` and those
of the summary's `each`; or `{"error": {"message", "where", "do"}}` alone. It imports no torch, and ends when its input
does.
"""

from __future__ import annotations

import gc
import io
import json
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from core.engine.columns import EncodedBlock, column_codes, part_types
from core.engine.encoded import EncodingSettings
from core.engine.plain_tokenizer import PlainTokenizer
from core.engine.samples import EncodingSummary, ViewRow, encoded_rows, view_row
from core.errors import BadInput

Piece = tuple[EncodedBlock, EncodingSummary]
"""The encoded samples of a piece, and what was found in it."""


def encode_piece(
    view: BinaryIO,
    where: Path,
    start: int,
    end: int,
    tokenizer: Any,
    settings: EncodingSettings,
    codes: Mapping[str, str],
    *,
    seen: Callable[[int], None] = lambda _: None,
) -> Piece:
    """The samples on the lines from byte `start` up to byte `end`; `seen` is called with how many are done.

    Raises:
        BadInput: for what no single sample is to blame for; a line is not what a view holds.
    """
    block, facts = EncodedBlock(codes), EncodingSummary()
    for kept in encoded_rows(_rows(view, where, start, end), tokenizer, settings, facts, seen):
        block.extend(kept.rows)
    return block, facts


def _rows(view: BinaryIO, where: Path, start: int, end: int) -> Iterator[ViewRow]:
    view.seek(start)
    for line in io.BytesIO(view.read(end - start)):
        yield view_row(line, str(where))


def write_piece(piece: Piece, stream: BinaryIO) -> None:
    """A piece in the form that `read_piece` reads."""
    block, facts = piece
    parts: list[array[Any]] = [*block.parts(), facts.each]
    head = {"summary": facts.to_json(), "rows": len(block), "sizes": [len(part) * part.itemsize for part in parts]}
    stream.write(json.dumps(head).encode() + b"\n")
    for part in parts:
        stream.write(part)
    stream.flush()


def read_piece(stream: BinaryIO, codes: Mapping[str, str]) -> Piece:
    """A piece from the pipe of a child.

    Raises:
        BadInput: the child found what no single sample is to blame for.
        EOFError: the child is gone.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    if error := head.get("error"):
        raise BadInput(error["message"], where=error["where"], do=error["do"])
    parts = []
    for kind, size in zip([*part_types(codes), "I"], head["sizes"], strict=True):
        part: array[Any] = array(kind)
        found = stream.read(size)
        if len(found) != size:
            raise EOFError
        part.frombytes(found)
        parts.append(part)
    return EncodedBlock(codes, head["rows"], parts[:-1]), EncodingSummary.from_json(head["summary"], parts[-1])


def main(argv: Sequence[str]) -> int:
    """Answers until the input ends."""
    view = Path(argv[0])
    if not (line := sys.stdin.buffer.readline()).endswith(b"\n"):
        return 1  # who started it is gone
    given = json.loads(line)
    tokenizer = PlainTokenizer.from_json(given["tokenizer"])
    settings = EncodingSettings.from_json(given["settings"])
    codes = column_codes(settings, tokenizer.length)
    out = sys.stdout.buffer
    gc.disable()  # a fifteenth of the time; once a piece will do, and of what is new
    gc.freeze()
    with view.open("rb") as stream:
        for line in sys.stdin.buffer:
            asked = json.loads(line)
            try:
                piece = encode_piece(stream, view, asked["start"], asked["end"], tokenizer, settings, codes)
            except BadInput as error:
                fault = {"message": error.what, "where": error.where, "do": error.do}
                out.write(json.dumps({"error": fault}).encode() + b"\n")
                out.flush()
                continue
            write_piece(piece, out)
            gc.collect()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
