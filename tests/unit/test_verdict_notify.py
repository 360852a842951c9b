"""When a run has ended, a command or an address of the user's hears how; the run stays as it is, whatever they do."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.jobs import at_end
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.jobs.state import standing
from core.jobs.trust import COMMAND, ConsentRequest
from core.recipe.recipe import Recipe, put
from core.runs.at_end import at_end_of
from tests.kit.training_runs import events
from tests.kit.waiting import until

_TRAINED = """
import sys
from core.jobs.folder import JobFolder
folder = JobFolder(sys.argv[1])
for step in range(1, 41):
    folder.append_metric({"step": step, "loss": 2 / step, "learning_rate": 1e-4, "grad_norm": 1.0})
folder.append_metric({"step": 40, "eval_loss": 0.75})
folder.write_status(step=40, of=40, phase="done")
if sys.argv[2] == "fail":
    def deep(rows):
        raise ValueError("no rows in part 3")
    deep([])
"""


class _Listener(BaseHTTPRequestHandler):
    """Keeps what it is told; the path is the answer's status."""

    received: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Listener", (_Listener,), {"received": received}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", received
    server.shutdown()
    thread.join()
    server.server_close()


def _run(tmp_path: Path, how: str, *targets: str, seconds: int = 20) -> JobFolder:
    for target in targets:
        ConsentRequest(COMMAND, target).agree()
    reported = {"targets": list(targets), "seconds": seconds}
    folder = JobFolder.create(tmp_path / "runs", "my run", "training", payload={"recipe": {}, "at_end": reported})
    launch(folder, [[sys.executable, "-c", _TRAINED, str(folder.path), how]])
    until(lambda: len(events(folder, "at_end")) == len(targets), "everybody was told", 30)
    assert standing(folder).over
    return folder


def test_a_command_and_an_address_hear_verdict_and_losses(tmp_path: Path, listener: tuple[str, list[Any]]) -> None:
    address, received = listener
    folder = _run(tmp_path, "end", f'cat > "{tmp_path}/in"; env > "{tmp_path}/env"', f"{address}/200")
    reported = json.loads((tmp_path / "in").read_text())
    assert received == [reported]
    assert (reported["state"], reported["name"], reported["id"]) == ("finished", "my run", folder.id)
    assert (reported["step"], reported["of"], reported["loss"], reported["eval_loss"]) == (40, 40, 0.05, 0.75)
    assert reported["verdict_text"].upper().startswith(reported["verdict"].upper())
    assert reported["traceback"] is None
    assert reported["text"].startswith("my run: finished at step 40 of 40\n")
    variables = (tmp_path / "env").read_text().splitlines()
    assert {"TUNEDECK_STATE=finished", "TUNEDECK_LOSS=0.05", f"TUNEDECK_FOLDER={folder.path}"} <= set(variables)
    assert f"TUNEDECK_VERDICT={reported['verdict']}" in variables
    assert [event["ok"] for event in events(folder, "at_end")] == [True, True]
    assert "/200" not in events(folder, "at_end")[1]["message"], "what follows the host is often a secret"


def test_of_a_failed_run_the_end_of_the_traceback_is_reported(tmp_path: Path, listener: tuple[str, list[Any]]) -> None:
    address, received = listener
    _run(tmp_path, "fail", f"{address}/200")
    (reported,) = received
    assert reported["state"] == "failed"
    assert reported["traceback"].startswith("Traceback (most recent call last)")
    assert reported["traceback"].endswith("ValueError: no rows in part 3")
    assert "no rows in part 3" in reported["text"]


def test_a_target_that_fails_or_hangs_is_an_event_and_the_run_stays_finished(
    tmp_path: Path, listener: tuple[str, list[Any]]
) -> None:
    address, _ = listener
    folder = _run(
        tmp_path, "end", f"{address}/500", "echo oh no; exit 7", "sleep 60", "http://127.0.0.1:9/x", seconds=1
    )
    refused, failed, hung, nobody = (event["message"] for event in events(folder, "at_end"))
    assert "answered 500" in refused
    assert "code 7" in failed
    assert "oh no" in (folder.path / "at_end.log").read_text()
    assert "took longer than 1 s" in hung
    assert "could not be reached" in nobody
    assert standing(folder).state == "finished"


def test_the_recipe_and_the_users_settings_say_whom_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert at_end_of(Recipe()) == {}
    (tmp_path / "tunedeck").mkdir()
    (tmp_path / "tunedeck" / "settings.toml").write_text('at_end = "notify me"\n')
    recipe = put(put(Recipe(), "reporting.at_end", "https://example.org/hook"), "reporting.at_end_seconds", 5)
    assert at_end_of(recipe)["targets"] == ["https://example.org/hook", "notify me"]
    assert at_end_of(recipe)["seconds"] == 5
    assert at_end_of(Recipe())["targets"] == ["notify me"]
    assert at_end.GRACE > 0
