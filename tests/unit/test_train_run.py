"""The run that the live screen shows, without a screen: how it is read, and what is known of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from textual.message import Message

from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from tests.kit.run_folders import add_steps, make_run
from tests.kit.waiting import PATIENCE
from tui.train.messages import RunRead
from tui.train.run import Looks, RunModel, RunSource

_FOR_EVER = 600.0
"""Seconds between two looks of which a test sees the first only."""


@contextmanager
def looking(model: RunModel, *overlaid: RunSource) -> Iterator[tuple[Looks, SimpleQueue[Message]]]:
    posted: SimpleQueue[Message] = SimpleQueue()
    assert model.source is not None
    looks = Looks(model.source, lambda: overlaid, _FOR_EVER, posted.put)
    thread = threading.Thread(target=looks.run)
    thread.start()
    try:
        yield looks, posted
    finally:
        looks.halt()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def look(posted: SimpleQueue[Message]) -> RunRead:
    found = posted.get(timeout=PATIENCE)
    assert isinstance(found, RunRead)
    return found


def read(posted: SimpleQueue[Message], model: RunModel) -> None:
    """Take in all that there is of a run: a slow machine reads less at once."""
    more = True
    while more:
        piece = look(posted)
        model.take(piece)
        piece.taken.set()
        more = piece.update.more


def opened(folder: JobFolder) -> RunModel:
    model = RunModel()
    model.open(folder.path)
    return model


def test_a_run_is_read_once_by_one_thread_after_another(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=5)
    model = opened(folder)
    with looking(model) as (looks, posted):
        read(posted, model)
        assert (list(model.live.main.x), model.state, model.read) == ([1, 2, 3, 4, 5], "running", 1.0)
        add_steps(folder, range(6, 8), 100)
        looks.look_now()
        while model.live.main.x[-1] < 7:
            read(posted, model)
    add_steps(folder, range(8, 10), 100)
    with looking(model) as (_, posted):
        read(posted, model)
    assert list(model.live.main.x) == list(range(1, 10))


def test_the_next_piece_of_a_long_run_is_read_when_the_one_before_was_taken(tmp_path: Path) -> None:
    model = opened(make_run(tmp_path, steps=9_000, of=9_000))
    with looking(model) as (looks, posted):
        pieces = 0
        more = True
        while more:
            piece = look(posted)
            looks.look_now()
            assert posted.empty()
            model.take(piece)
            more, pieces = piece.update.more, pieces + 1
            piece.taken.set()
    assert pieces > 2
    assert len(model.live.main) == 9_000


def test_an_overlaid_run_is_read_by_the_same_thread_until_it_is_over(tmp_path: Path) -> None:
    model = opened(make_run(tmp_path, steps=5))
    other = make_run(tmp_path, steps=3, state="finished", ended=2.0)
    source = RunSource(other.path, Follower(other, gpu_bytes=0, log_bytes=0))
    with looking(model, source) as (looks, posted):
        piece = look(posted)
        while not (piece.source is source and piece.update.over):
            assert (piece.verdict is None) == (piece.source is source), "only the screen's own run is judged"
            piece.taken.set()
            piece = look(posted)
        assert source.over
        for _ in range(3):
            piece.taken.set()
            looks.look_now()
            piece = look(posted)
            assert piece.source is model.source, "nothing more comes of a run that is over"


def test_a_sampled_read_is_shown_until_all_is_read_and_another_run_begins_anew(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=9_000, of=9_000)
    model = opened(folder)
    assert model.source is not None
    model.take_sampled_read(Follower(folder).poll(10, 1.0))
    assert model.sampled
    assert model.shown is not model.live
    with looking(model) as (_, posted):
        model.take(piece := look(posted))
        assert piece.update.more
        assert model.sampled
        piece.taken.set()
        read(posted, model)
    assert model.shown is model.live
    model.open(None)
    assert (model.folder, model.state, len(model.shown.main), model.verdict) == (None, "", 0, None)
