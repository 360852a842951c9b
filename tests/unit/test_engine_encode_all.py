"""Encoding with all cores and from a cache gives what one process gives, sample by sample, or says why it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from core.dataset.dataset import Dataset
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample
from core.dataset.view.view import view_line
from core.engine import encode_all as module
from core.engine import encoded_cache
from core.engine.encode_all import caches_of, encode_all
from core.engine.encoded import EncodingSettings
from core.engine.load import load_tokenizer
from core.engine.plain_tokenizer import PlainTokenizer
from core.engine.samples import encode_view, read_view
from core.engine.template import use_template
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Model

pytestmark = pytest.mark.usefixtures("small_pieces")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views of some kilobytes are cached and shared out, as views of megabytes are."""
    monkeypatch.setattr(module, "_CACHED", 0)
    monkeypatch.setattr(module, "_SHARED_OUT", 0)
    monkeypatch.setattr(module, "_PIECE", 30_000)
    monkeypatch.setattr(module, "_processes", lambda: 2)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(Model(path=str(SAMPLE_DATA / "tiny_base")))


@pytest.fixture(scope="module")
def settings(tokenizer: Any) -> EncodingSettings:
    return EncodingSettings(use_template(tokenizer, ""), 256)


def _sample_data() -> Iterator[Sample]:
    for name in ("support_train.jsonl", "support_eval.jsonl", "hostile.jsonl"):
        data = Dataset.open(SAMPLE_DATA / name)
        data.reader.extend(60)
        for entry in range(data.reader.count):
            try:
                yield data.sample(entry)
            except Unreadable:
                continue


@pytest.fixture(scope="module")
def all_samples() -> list[Sample]:
    samples = list(_sample_data())
    assert len(samples) > 300
    odd = Sample("messages", (Message("user", "Hi"), Message("assistant", "No 日本 😀", trained=False)))
    calls = ({"type": "function", "function": {"name": "look", "arguments": {"at": "it"}}},)
    tools = ({"type": "function", "function": {"name": "look", "parameters": {}}},)
    called = Sample("messages", (Message("user", "Hi"), Message("assistant", "", tool_calls=calls)), tools=tools)
    return [*samples, odd, called, Sample("text", text="A text of its own. " * 90), Sample("text", text="short")]


def _view(folder: Path, samples: list[Sample]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "train.jsonl"
    path.write_bytes(b"".join(view_line(f"{n}:0", n, 0, sample) for n, sample in enumerate(samples)))
    return path


def _same(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    assert found[0].to_list() == expected[0].to_list()
    assert found[1] == expected[1]


@pytest.mark.parametrize("task", ["sft", pytest.param("dpo", marks=pytest.mark.slow)])
def test_all_cores_give_the_rows_of_one_process_for_all_of_the_sample_data(
    tmp_path: Path, tokenizer: Any, settings: EncodingSettings, all_samples: list[Sample], task: str
) -> None:
    samples = all_samples
    if task == "dpo":
        talks = [each for each in samples if each.kind == "messages" and len(each.messages) == 2][:80]
        samples = [
            Sample("preference", talk.messages[:1], chosen=talk.messages[1:], rejected=other.messages[1:])
            for talk, other in pairwise(talks)
        ]
    view = _view(tmp_path, samples)
    chosen = EncodingSettings(settings.template, 96, task=task, chunk_text=True)
    found = encode_all(view, tokenizer, chosen, caches=tmp_path / "caches")
    _same(found, encode_view(read_view(view), tokenizer, chosen))
    assert found[1].samples == len(samples)
    assert found[1].cut > 0


def test_the_processes_have_the_plain_tokenizer_and_no_torch(
    tmp_path: Path, tokenizer: Any, settings: EncodingSettings, all_samples: list[Sample]
) -> None:
    plain = PlainTokenizer.of(tokenizer)
    assert plain is not None
    assert PlainTokenizer.from_json(json.loads(json.dumps(plain.to_json()))).to_json() == plain.to_json()
    view = _view(tmp_path, all_samples)
    given = json.dumps({"tokenizer": plain.to_json(), "settings": settings.to_json()}).encode() + b"\n"
    code = (
        "import sys; from core.engine.encode_piece import main; code = main(sys.argv[1:]); "
        "sys.exit(code or [name for name in ('torch', 'trl', 'datasets', 'pyarrow') if name in sys.modules] or 0)"
    )
    asked = given + json.dumps({"start": 0, "end": view.stat().st_size}).encode() + b"\n"
    command = [module.sys.executable, "-c", code, str(view)]
    done = subprocess.run(command, input=asked, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.partition(b"\n")[0])["summary"]["samples"] == len(all_samples)


def test_what_is_cached_is_opened_and_not_encoded_again(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    view, caches = _view(tmp_path, all_samples), tmp_path / "caches"
    first = encode_all(view, tokenizer, settings, caches=caches)
    (folder,) = caches.glob("[!.]*")
    with monkeypatch.context() as patch:
        patch.setattr(module, "encode_piece", lambda *_, **__: pytest.fail("encoded again"))
        os.utime(view)  # as the keeper of a run does at each start
        _same(encode_all(view, tokenizer, settings, caches=caches), first)
        other = EncodingSettings(settings.template, 128)
        for changed in (other, EncodingSettings(settings.template, 256, loss_on="everything")):
            with pytest.raises(pytest.fail.Exception):
                encode_all(view, tokenizer, changed, caches=caches)
        before = view.stat().st_mtime_ns
        view.write_bytes(view.read_bytes().replace(b"short", b"shart"))
        os.utime(view, ns=(before, before))
        with pytest.raises(pytest.fail.Exception):
            encode_all(view, tokenizer, settings, caches=caches)
    assert list(caches.glob("[!.]*")) == [folder]
    assert not list(caches.glob(".building*"))


@pytest.mark.parametrize("name", ["samples.arrow", "each.bin", "about.json"])
def test_a_damaged_cache_is_made_again(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    view, caches = _view(tmp_path, all_samples[:60]), tmp_path / "caches"
    encode_all(view, tokenizer, settings, caches=caches)
    (folder,) = caches.glob("[!.]*")
    whole = (folder / name).read_bytes()
    at = len(whole) // 2
    (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    found = encode_all(view, tokenizer, settings, caches=caches)
    _same(found, encode_view(read_view(view), tokenizer, settings))
    assert (folder / name).read_bytes() == whole


def test_a_cache_of_other_tokens_under_the_same_name_is_not_believed(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    monkeypatch.setattr(module, "encoded_key", lambda *_: "always")
    caches = tmp_path / "caches"
    encode_all(_view(tmp_path / "a", all_samples[:20]), tokenizer, settings, caches=caches)
    view = _view(tmp_path / "b", all_samples[20:40])
    found = encode_all(view, tokenizer, settings, caches=caches)
    _same(found, encode_view(read_view(view), tokenizer, settings))


def test_only_the_caches_that_were_opened_last_stay_and_none_is_much_larger_than_its_view(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    view, caches = _view(tmp_path, all_samples[:30]), tmp_path / "caches"
    for length in range(100, 100 + encoded_cache.KEPT + 2):
        encode_all(view, tokenizer, EncodingSettings(settings.template, length), caches=caches)
    assert len(list(caches.glob("[!.]*"))) == encoded_cache.KEPT
    monkeypatch.setattr(module, "MOST", 0)
    found = encode_all(view, tokenizer, settings, caches=caches)
    _same(found, encode_view(read_view(view), tokenizer, settings))
    assert len(list(caches.glob("[!.]*"))) == encoded_cache.KEPT


def test_where_no_cache_can_be_written_the_samples_are_encoded_all_the_same(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    view = _view(tmp_path, all_samples[:60])
    expected = encode_view(read_view(view), tokenizer, settings)
    (tmp_path / "file").write_text("no folder")
    _same(encode_all(view, tokenizer, settings, caches=tmp_path / "file" / "caches"), expected)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encoded_cache.EncodedWriter, "add", full)
    _same(encode_all(view, tokenizer, settings, caches=tmp_path / "caches"), expected)
    assert not list((tmp_path / "caches").glob(".building*"))


def test_a_process_that_is_killed_costs_no_sample_and_a_stop_leaves_none_behind(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = _view(tmp_path, all_samples)
    started: list[Any] = []
    real = module._child

    def child(*given: Path) -> Any:
        started.append(real(*given))
        if len(started) == 1:
            os.kill(started[0].pid, signal.SIGKILL)
        return started[-1]

    monkeypatch.setattr(module, "_child", child)
    _same(encode_all(view, tokenizer, settings), encode_view(read_view(view), tokenizer, settings))

    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        encode_all(view, tokenizer, settings, caches=tmp_path / "caches", seen=stop)
    assert len(started) == 4
    assert all(each.returncode is not None for each in started)


def test_of_two_ranks_one_encodes_and_the_other_waits_and_opens(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHARED_OUT", 2**40)
    view, caches = _view(tmp_path, all_samples[:60]), tmp_path / "caches"
    encodes, waits = threading.Event(), threading.Event()
    by: list[threading.Thread] = []
    real = module.encode_piece

    def encode_piece(*given: Any, **options: Any) -> Any:
        by.append(threading.current_thread())
        encodes.set()
        assert waits.wait(60)
        return real(*given, **options)

    monkeypatch.setattr(module, "encode_piece", encode_piece)
    found: list[Any] = []
    first = threading.Thread(target=lambda: found.append(encode_all(view, tokenizer, settings, caches=caches)))
    first.start()
    assert encodes.wait(60)
    second = encode_all(view, tokenizer, settings, caches=caches, seen=lambda _: waits.set())
    first.join(60)
    _same(second, found[0])
    assert set(by) == {first}


def test_a_tokenizer_that_works_in_its_own_way_is_asked_itself(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(type(tokenizer)):  # type: ignore[misc]
        def apply_chat_template(self, *given: Any, **options: Any) -> Any:
            return super().apply_chat_template(*given, **options)

    own = load_tokenizer(Model(path=str(SAMPLE_DATA / "tiny_base")))
    own.__class__ = Own
    assert PlainTokenizer.of(own) is None
    monkeypatch.setattr(module, "_child", lambda *_: pytest.fail("shared out"))
    view = _view(tmp_path, all_samples[:60])
    _same(encode_all(view, own, settings), encode_view(read_view(view), tokenizer, settings))


def test_a_line_that_is_no_sample_is_named_by_its_number(
    tmp_path: Path, tokenizer: Any, settings: EncodingSettings, all_samples: list[Sample]
) -> None:
    view = _view(tmp_path, all_samples)
    lines = view.read_bytes().splitlines(keepends=True)
    lines[200] = b'{"key": 1}\n'
    view.write_bytes(b"".join(lines))
    with pytest.raises(BadInput, match=r"train\.jsonl:201"):
        encode_all(view, tokenizer, settings)


def test_a_job_has_caches_only_in_a_workspace(tmp_path: Path) -> None:
    (tmp_path / ".tunedeck").mkdir()
    assert caches_of(tmp_path / "runs" / "a") == tmp_path / ".tunedeck" / "encoded"
    assert caches_of(tmp_path / "a") is None
    assert caches_of(tmp_path / "other" / "runs" / "a") is None


def test_what_a_killed_process_left_is_swept_and_what_is_written_now_is_not(tmp_path: Path) -> None:
    for name, age in (("old", 2 * encoded_cache._STALE), ("new", 0)):
        building, lock = tmp_path / f".building-{name}-1", tmp_path / encoded_cache.lock_name(name)
        building.mkdir()
        for path in (building / "samples.arrow", lock):
            path.touch()
            os.utime(path, (time.time() - age,) * 2)
    encoded_cache.sweep_encoded(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".building-new-1", ".new.lock"]


def test_a_full_temporary_folder_is_no_matter(
    tmp_path: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    all_samples: list[Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.mkdtemp", lambda *_, **__: pytest.fail("a temporary folder"))
    started: list[Any] = []
    real = module._child

    def child(view: Path) -> Any:
        started.append(real(view))
        return started[-1]

    monkeypatch.setattr(module, "_child", child)
    view = _view(tmp_path, all_samples[:80])
    _same(encode_all(view, tokenizer, settings), encode_view(read_view(view), tokenizer, settings))
    assert started
