"""The Hub is asked once, for two seconds at most, before anything is loaded; a model that is here asks nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.engine.network import check_model_download
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.hub_access import ask_hub
from core.recipe.recipe import Recipe, put
from core.runs.preflight import PreflightCheck, preflight

_FILES = [("model-00001-of-2.safetensors", 3_000_000_000), ("model-00002-of-2.safetensors", 1_000_000_000)]
_MODELS = {
    "org/open": {"gated": False, "siblings": [*_FILES, ("config.json", 600), ("pytorch_model.bin", 4_000_000_000)]},
    "org/gated": {"gated": "manual", "siblings": [*_FILES, ("config.json", 600)]},
    "org/pickled": {"gated": False, "siblings": [("pytorch_model.bin", 4_000_000_000)]},
    "org/huge": {"gated": False, "siblings": [("model.safetensors", 10**16)]},
}


class _Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does; what was asked is in `asked`."""

    asked: list[str] = []
    gate = threading.Event()

    def do_GET(self) -> None:
        """The list of a model's files."""
        self.asked.append(self.path)
        name = self.path.removeprefix("/api/models/").partition("/revision/")[0]
        if name == "org/silent":
            self.gate.wait()
        found = _MODELS.get(name)
        if found is None:
            self._answer(401 if name != "org/old" else 404, "RevisionNotFound" if name == "org/old" else "RepoNotFound")
            return
        files = [{"rfilename": name, "size": size} for name, size in found["siblings"]]  # type: ignore[attr-defined]
        self._answer(200, body=json.dumps({**found, "siblings": files}).encode())

    def do_HEAD(self) -> None:
        """A file of a gated model: for those with a token."""
        self.asked.append(self.path)
        self._answer(200 if self.headers.get("Authorization") == "Bearer hf_yes" else 401, "GatedRepo")

    def _answer(self, code: int, error: str = "", body: bytes = b"") -> None:
        self.send_response(code)
        if error:
            self.send_header("X-Error-Code", error)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[_Hub]]:
    """A Hub on this machine, and an empty cache."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    _Hub.asked.clear()
    _Hub.gate.clear()
    yield _Hub
    _Hub.gate.set()
    server.shutdown()
    server.server_close()


def _line(path: str, workspace: Path, *, later: bool = False) -> PreflightCheck:
    (found,) = [
        each for each in preflight(put(Recipe(), "model.path", path), workspace, later=later) if each.name == "hub"
    ]
    return found


def test_a_model_that_can_be_downloaded_says_how_much(hub: type[_Hub], tmp_path: Path) -> None:
    assert ask_hub("org/open").size == 4_000_000_600  # safetensors and small files; no pickles
    line = _line("org/open", tmp_path)
    assert line.verdict == "ok"
    assert "3.7 GiB" in line.sentence
    asked = len(hub.asked)
    assert _line("org/open", tmp_path) == line
    assert len(hub.asked) == asked, "an answer is kept"
    assert check_model_download("org/open", "") == "Downloading org/open (3.7 GiB)"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("org/gated", "gated"),
        ("org/missing", "no model"),
        ("org/old", "no such revision"),
        ("org/pickled", "no safetensors"),
        ("org/huge", "free"),
        ("org/silent", "did not answer"),
    ],
)
def test_what_cannot_be_downloaded_stops_the_start_with_a_reason(
    hub: type[_Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, words: str
) -> None:
    if path == "org/silent":
        monkeypatch.setattr("core.runs.preflight.hub.ask_hub", lambda *each: ask_hub(*each, patience=0.2))
    line = _line(path, tmp_path)
    assert (line.verdict, line.path) == ("stop", "model.path")
    assert words in line.sentence
    if path != "org/huge":
        assert _line(path, tmp_path, later=True).verdict == "warn", "the queue may start it on another day"
    if path not in ("org/huge", "org/silent"):
        with pytest.raises(BadInput, match=words):
            check_model_download(path, "")


def test_a_token_with_access_opens_a_gated_model(hub: type[_Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_hub("org/gated").standing == "gated"
    monkeypatch.setenv("HF_TOKEN", "hf_yes")
    assert ask_hub("org/gated").standing == "there"


def test_a_model_that_is_here_asks_nothing_and_keeps_the_libraries_offline(
    hub: type[_Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of a cached model was asked for, with retries, for 53 seconds under "Loading libraries"."""
    cached = tmp_path / "hf" / "hub" / "models--org--here"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / "abc").symlink_to(SAMPLE_DATA / "tiny_base")
    assert check_model_download("org/here", "", ("org/other",)) == ""
    assert os.environ["HF_HUB_OFFLINE"] == "0", "another model is still to be downloaded"
    assert check_model_download("org/here", "") == ""
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert [each for each in preflight(put(Recipe(), "model.path", "org/here"), tmp_path) if each.name == "hub"] == []
    assert hub.asked == []


def test_offline_is_said(tmp_path: Path) -> None:
    line = _line("org/open", tmp_path)
    assert line.verdict == "stop"
    assert "HF_HUB_OFFLINE" in line.sentence
