"""A paste is one event, whatever it holds and however it is split over reads; the keys around it stay keys."""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.events import Key, Paste

from tests.kit.waiting import until
from tui.terminal.driver import SleepingDriver
from tui.terminal.paste import END, MOST, START, PasteCutter

Received = list[str]


class Reader:
    """Cutter and Textual's parser together, as the driver uses them; hears keys by name and pastes as `<text>`."""

    def __init__(self) -> None:
        self.cutter = PasteCutter()
        self.parser = XTermParser()
        self.decode = getincrementaldecoder("utf-8")("replace").decode
        self.received: Received = []

    def read(self, *reads: bytes) -> Received:
        for data in reads:
            for piece in self.cutter.feed(data):
                if isinstance(piece, str):
                    self.received.append(f"<{piece}>")
                    continue
                text = self.decode(piece)
                for event in self.parser.feed(text) if text else ():
                    if isinstance(event, Key):
                        self.received.append(event.character or event.key)
                    else:
                        assert isinstance(event, Paste)
                        assert event.text == "", "of a paste the parser sees nothing"
        return self.received


def paste(text: bytes) -> bytes:
    return START + text + END


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (paste(b"colour \x1b[0mdq"), ["<colour \x1b[0mdq>"]),
        (b"ab" + paste(b"dq") + b"\x1b[Ac", ["a", "b", "<dq>", "up", "c"]),
        (paste(b"one") + paste(b"two") + b"x" + paste(b""), ["<one>", "<two>", "x", "<>"]),
        (paste(b"a" + START + b"b") + b"k", ["<a\x1b[200~b>", "k"]),
        (paste("naïve 你好".encode()) + "é".encode(), ["<naïve 你好>", "é"]),
        (paste(b"cut \xe4\xbd") + b"k", ["<cut \ufffd>", "k"]),
        (paste(b"\x1b" * 40 + b"[201q"), ["<" + "\x1b" * 40 + "[201q>"]),
        (b"\x1b[20~\x1b[2~\x1b[24;1R"[:9] + paste(b"t"), ["f9", "insert", "<t>"]),
    ],
)
def test_a_paste_is_one_event_wherever_the_reads_split_it(data: bytes, received: Received) -> None:
    assert Reader().read(data) == received
    for at in range(1, len(data)):
        assert Reader().read(data[:at], data[at:]) == received, (data[:at], data[at:])
    assert Reader().read(*(data[at : at + 1] for at in range(len(data)))) == received


@given(
    st.lists(st.tuples(st.booleans(), st.text("dq \x1b[0mé你~1;\r", max_size=12)), max_size=6),
    st.lists(st.integers(min_value=1, max_value=9), min_size=1, max_size=8),
)
def test_no_character_of_a_paste_becomes_a_key(parts: list[tuple[bool, str]], sizes: Iterable[int]) -> None:
    parts = [(pasted, text if pasted else text.replace("\x1b", "")) for pasted, text in parts]
    data = b"".join(paste(text.encode()) if pasted else text.encode() for pasted, text in parts)
    reads = []
    while data:
        for size in sizes:
            reads.append(data[:size])
            data = data[size:]
    assert [each for each in Reader().read(*reads) if each.startswith("<") and each.endswith(">")] == [
        f"<{text}>" for pasted, text in parts if pasted
    ]
    assert "".join(each for each in Reader().read(*reads) if len(each) == 1) == "".join(
        text for pasted, text in parts if not pasted
    )


def test_an_escape_key_is_handed_on_at_once_and_a_late_marker_is_still_one() -> None:
    reader = Reader()
    assert list(reader.cutter.feed(b"\x1b")) == [b"\x1b"]
    reader = Reader()
    reader.read(b"\x1b")
    reader.cutter.pause()  # by now it was taken for the key
    assert reader.read(START[1:] + b"dq" + END + b"k")[-2:] == ["<dq>", "k"]
    assert "d" not in reader.received


def test_a_paste_that_never_ends_keeps_a_bounded_text_and_gives_the_keys_back() -> None:
    reader = Reader()
    reader.read(START, *[b"d" * 4_096] * (MOST // 4_096 + 40))
    assert reader.cutter.pasting
    assert reader.received == []
    assert reader.cutter.give_up() == "d" * MOST
    assert not reader.cutter.pasting
    assert reader.read(b"k") == ["k"]


def test_the_rest_of_a_paste_that_was_given_up_is_no_keys() -> None:
    reader = Reader()
    reader.read(START + b"first half, \x1b[2")
    assert reader.cutter.give_up() == "first half, "
    assert reader.read(b"01; dq" + END + b"k") == ["k"]
    assert reader.read(paste(b"another") + b"j") == ["k", "<another>", "j"]


async def test_the_driver_posts_one_event_a_paste_and_ends_one_that_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.terminal.driver.SILENCE", 0.01)
    terminal, far_end = os.pipe()
    driver = SleepingDriver(App())
    driver.fileno = terminal
    received: list[object] = []
    monkeypatch.setattr(driver, "process_message", received.append)

    def keys_and_pastes() -> list[str]:
        return [
            each.text if isinstance(each, Paste) else each.key for each in received if isinstance(each, Key | Paste)
        ]

    with ThreadPoolExecutor() as threads:
        reading = threads.submit(driver.run_input_thread)
        try:
            os.write(far_end, b"k" + paste(b"colour \x1b[0mdq") + "é".encode()[:1])
            until(lambda: len(keys_and_pastes()) == 2, "a key and a paste")
            os.write(far_end, "é".encode()[1:] + START + b"no end")
            until(lambda: len(keys_and_pastes()) == 4, "a letter, and a paste that was given up")
            os.write(far_end, b"j")
            until(lambda: len(keys_and_pastes()) == 5, "a key")
        finally:
            driver.exit_event.set()
            os.close(far_end)
        reading.result()
    os.close(terminal)
    assert keys_and_pastes() == ["k", "colour \x1b[0mdq", "é", "no end", "j"]
