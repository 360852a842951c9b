"""Data through a pipe: kept as a file, the same for the same data, with a sentence where there is no room."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.files import piped
from core.errors import BadInput

ROWS = b'{"prompt": "a", "completion": "b"}\n' * 3


def test_equal_data_get_the_same_file_and_it_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = piped.take_in(tmp_path, io.BytesIO(ROWS))
    assert piped.take_in(tmp_path, io.BytesIO(ROWS)) == path
    assert piped.take_in(tmp_path, io.BytesIO(b"prompt,completion\nc,d\n")) != path
    assert len(list(path.parent.iterdir())) == 2
    dataset = Dataset.open(path)
    assert (dataset.reader.container, dataset.count) == ("JSONL", 3)


def test_nothing_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing on standard input"):
        piped.take_in(tmp_path, io.BytesIO())
    assert not list((tmp_path / ".tunedeck" / "piped").iterdir())


class Full(io.BytesIO):
    """A pipe whose reader finds the disk full."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("most", [0, None])
def test_more_than_there_is_room_for_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Full() if most is None else io.BytesIO(ROWS)
    if most is not None:
        monkeypatch.setattr(piped, "_LEFT_FREE", 2**62)  # no disk leaves that much free
    with pytest.raises(BadInput, match="Not enough disk space for standard input"):
        piped.take_in(tmp_path, stream)
    assert not list((tmp_path / ".tunedeck" / "piped").iterdir())
