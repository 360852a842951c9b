"""Data sets by their name on the hub: the worker on a local one, and the sentences where nothing can be fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.files import hub
from core.dataset.files.hub import HubName
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("org/name", HubName("org/name")),
        ("org/name:main:test", HubName("org/name", ("main", "test"))),
        ("folder/name", None),  # a folder of that name is here
        ("org/rows.jsonl", None),
        ("name", None),
        ("../org/name", None),
        ("org/name:", None),
    ],
)
def test_names_of_the_hub_are_told_from_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: HubName | None
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert HubName.parse(text) == name


def test_what_was_fetched_is_found_where_only_one_fits(tmp_path: Path) -> None:
    folder = HubName("org/name").folder(tmp_path)
    folder.mkdir(parents=True)
    for config, split in (("main", "train"), ("main", "test"), ("other/x", "test")):
        (folder / hub.file_name(config, split)).touch()
    assert HubName("org/name").fetched(tmp_path) is None
    assert HubName("org/name", ("train",)).fetched(tmp_path) == folder / "main--train.jsonl"
    assert HubName("org/name", ("main", "test")).fetched(tmp_path) == folder / "main--test.jsonl"


def run_worker(workspace: Path, name: str, parts: list[str], into: Path) -> JobFolder:
    payload = {"name": name, "parts": parts, "into": str(into)}
    folder = JobFolder.create(workspace / ".tunedeck" / "jobs", "fetch", "fetch", payload=payload)
    launch(folder, [worker_command(hub.WORKER, folder)])
    until(lambda: standing(folder).over, "the worker", 60)
    return folder


def test_a_split_becomes_a_file_of_the_workspace_and_several_are_named(tmp_path: Path, warm: WarmPython) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split, rows in (("train", 3), ("test", 2)):
        lines = [json.dumps({"question": f"q{n} é", "answer": f"a{n}"}) + "\n" for n in range(rows)]
        (data / f"{split}.jsonl").write_text("".join(lines))
    into = tmp_path / "into"
    asked = run_worker(tmp_path, str(data), [], into)
    said = standing(asked).status.message
    assert standing(asked).state == "failed"
    assert "splits: train, test" in said
    assert said.endswith("data:train.")
    assert standing(run_worker(tmp_path, str(data), ["test"], into)).state == "finished"
    dataset = Dataset.open(into / "default--test.jsonl")
    assert [dataset.sample(entry).question for entry in range(dataset.count)] == ["q0 é", "q1 é"]
    assert [path.name for path in into.iterdir()] == ["default--test.jsonl"]


def refused(workspace: Path) -> str:
    received: list[str] = []
    with pytest.raises(BadInput) as fault:
        hub.fetch(workspace, HubName("org/name", ("train",)), received.append)
    assert received[0].startswith("org/name:train: ")
    return str(fault.value)


def test_offline_by_choice_is_said(tmp_path: Path, warm: WarmPython) -> None:
    assert refused(tmp_path).startswith("org/name:train: HF_HUB_OFFLINE is set, so nothing is downloaded. Unset it")


def test_without_a_network_there_is_a_sentence_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    assert refused(tmp_path).startswith("org/name:train: No network here: hub.invalid cannot be found. Download")
