"""Values that cannot be kept as they are written: a flag that names the value, never another value in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.records import Unreadable, parse_object
from core.dataset.scan.scan import scan


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("1e400", "1e400"),
        ("-1E+999", "-1E+999"),
        ("1.0e309", "1.0e309"),
        ("1e-400", "1e-400"),
        ("9" * 400, "999"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.12345678901234567890123", "0.12345678901234567890123"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        (r'"\ud83d"', "U+D83D"),
        (r'"\ude00 ok"', "U+DE00"),
        ('{"x": 1, "x": 2}', "'x'"),
        ('{"x": 1e999, "x": 2}', "1e999"),
        ('{"x": 1e999, "x": 2}', "'x'"),
    ],
)
def test_a_value_that_cannot_be_kept_is_named(value: str, named: str) -> None:
    _, nonstandard = parse_object(f'{{"text": "a", "score": {value}}}'.encode())
    assert named in nonstandard


@pytest.mark.parametrize(
    "value",
    [
        "1e308",
        "0e999",
        "0.10",
        "18446744073709551615",
        "-9223372036854775808",
        "1234567890.1234567",
        "0.5000000000000000000000",
        r'"\ud83d\ude00"',
        '"tracking number 1234567890123456789012, hash 3e400abc, 1e400"',
    ],
)
def test_good_values_are_kept_without_a_word(value: str) -> None:
    found, nonstandard = parse_object(f'{{"text": "a", "score": {value}}}'.encode())
    assert nonstandard == ""
    assert found["score"] == json.loads(value)


def test_whole_numbers_are_exact_however_long() -> None:
    found, _ = parse_object(b'{"n": 123456789012345678901234567890}')
    assert found["n"] == 123456789012345678901234567890
    with pytest.raises(Unreadable, match="5,000 digits"):
        parse_object(b'{"n": ' + b"7" * 5_000 + b"}")


def test_what_is_no_number_is_never_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = ['{"prompt": "a", "completion": "b"}'] * 2
    rows += [f'{{"prompt": "q{n}", "completion": {value}}}' for n, value in enumerate(("NaN", "1e400", "12"))]
    path.write_text("\n".join(rows))
    found = scan(path)
    assert found.flags["unreadable"] == 2
    assert found.flags["nonstandard_json"] == 2
    reasons = [flag.reason for row in (2, 3) for flag in found.row_flags[row] if flag.name == "unreadable"]
    assert "NaN" in reasons[0]
    assert "too large" in reasons[1]


def test_nan_in_a_column_that_may_be_empty_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"instruction": "a", "input": NaN, "output": "b"}\n' * 2)
    found = scan(path)
    assert (found.flags["unreadable"], found.flags["nonstandard_json"]) == (0, 2)
    assert Dataset.open(path).sample(0).question == "a"


def test_exact_duplicates_are_counted_where_no_format_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"x": n % 7, "y": [n % 7]}) for n in range(20)))
    found = scan(path)
    assert not found.format.known
    assert found.flags["exact_duplicate"] == 13
    (flag,) = (flag for flag in found.row_flags[8] if flag.name == "exact_duplicate")
    assert flag.of == 1
    assert "row 2" in flag.reason
