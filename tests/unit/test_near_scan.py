"""Near-duplicates through the scan, the scan job, the decisions and the command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from core.dataset.audit.decisions import pair_key
from core.dataset.audit.store import DecisionStore, read_ledger
from core.dataset.near.exact import jaccard
from core.dataset.near.result import NearOptions
from core.dataset.scan.keys import KEY_BYTES, key_text, row_digest, unpack
from core.dataset.scan.near_searches import last_search
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.scan import ScanResult, ScanStopped, scan
from core.jobs.folder import JobFolder
from core.paths import ROOT
from core.units import percent
from tests.kit.waiting import PATIENCE
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence

SAMPLE = ROOT / "sample_data"
NEAR = NearOptions()


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts_file(path: Path, texts: list[str]) -> Path:
    return write(path, [{"text": text} for text in texts])


def key(result: ScanResult, row: int) -> str:
    return unpack(result.keys[row * KEY_BYTES : (row + 1) * KEY_BYTES])


def test_the_planted_near_duplicates_and_leaks_of_the_sample_data_are_found() -> None:
    planted = json.loads((SAMPLE / "FAULTS.json").read_text(encoding="utf-8"))
    rows = {
        kind: {fault["row"] for fault in planted["faults"] if fault["kind"] == kind}
        for kind in ("near_duplicate", "exact_duplicate", "leak_near")
    }
    result = scan(SAMPLE / "support_train.jsonl", eval_paths=[SAMPLE / "support_eval.jsonl"], near=NEAR)
    assert result.near is not None
    near = {row for each in result.near.clusters if each.kind == "near" for row in (drop.row for drop in each.drop)}
    exact = {row for each in result.near.clusters if each.kind == "exact" for row in (drop.row for drop in each.drop)}
    assert (near, exact) == (rows["near_duplicate"], rows["exact_duplicate"])
    flagged = {
        name: {row for row, flags in result.row_flags.items() if name in [flag.name for flag in flags]} for name in rows
    }
    assert flagged == rows
    assert {name: result.flags[name] for name in rows} == {name: planted["counts"][name] for name in rows}
    assert result.near.excluded == ("the system prompt, identical in all rows (38 characters)",)


def test_without_near_nothing_of_it_is_reported(tmp_path: Path) -> None:
    result = scan(texts_file(tmp_path / "a.jsonl", ["one text", "one text."]), eval_paths=[tmp_path / "a.jsonl"])
    assert not {"near", "clusters"} & set(result.to_json())
    assert not {"near_duplicate", "leak_near"} & set(result.flags)


def test_the_json_names_for_each_dropped_row_the_row_that_stays(tmp_path: Path) -> None:
    made = random.Random(1)
    text = sentence(made, 40)
    texts = [sentence(made, 40), text, "short", with_slips(text, 2, made), text]
    file = tmp_path / "a.jsonl"
    texts_file(file, texts)
    file.write_text("{broken\n" + file.read_text())
    report = json.loads(json.dumps(scan(file, near=NEAR).to_json()))
    (cluster,) = report["clusters"]
    similarity = jaccard(text, texts[3])
    assert cluster == {
        "kind": "near",
        "rows": [1, 3, 4],
        "similarity": similarity,
        "keep": [1],
        "drop": [
            {"row": 3, "because_of": 1, "similarity": similarity},
            {"row": 4, "because_of": 1, "similarity": 1.0},
        ],
    }
    assert report["near"] == {
        "threshold": 0.8,
        "keep": "first",
        "fields": "all",
        "left_out": [],
        "wrong_pairs": [],
    }
    assert report["flags"]["near_duplicate"] == report["flags"]["exact_duplicate"] == 1


def test_the_fields_compared_are_the_users_choice(tmp_path: Path) -> None:
    made = random.Random(2)
    question, answer = sentence(made, 30), sentence(made, 60)
    rows: list[dict[str, object]] = [
        {"prompt": question, "completion": answer},
        {"prompt": with_slips(question, 1, made), "completion": sentence(made, 60)},
        {"prompt": sentence(made, 30), "completion": with_slips(answer, 1, made)},
    ]
    file = write(tmp_path / "a.jsonl", rows)

    def found(**options: object) -> list[tuple[int, ...]]:
        result = scan(file, near=NearOptions(**options))  # type: ignore[arg-type]
        assert result.near is not None
        return [cluster.rows for cluster in result.near.clusters]

    assert found() == []
    assert found(fields="prompt") == [(0, 1)]
    assert found(fields="answer") == [(0, 2)]


def test_a_long_system_prompt_makes_no_rows_alike(tmp_path: Path) -> None:
    made = random.Random(3)
    system = sentence(made, 200)
    rows: list[dict[str, object]] = [
        {
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": sentence(made, 9)},
                {"role": "assistant", "content": sentence(made, 9)},
            ]
        }
        for _ in range(12)
    ]
    result = scan(write(tmp_path / "a.jsonl", rows), near=NEAR)
    assert result.near is not None
    assert result.near.clusters == ()
    assert "system prompt" in result.near.excluded[0]
    whole = scan(tmp_path / "a.jsonl", near=NearOptions(fields="whole")).near
    assert whole is not None
    assert (len(whole.clusters), whole.excluded) == (1, ())


def test_a_near_leak_names_its_place_and_an_equal_prompt_is_the_exact_checks(tmp_path: Path) -> None:
    made = random.Random(4)
    questions = [sentence(made, 20) for _ in range(3)]
    train = write(tmp_path / "train.jsonl", [{"prompt": each, "completion": "yes"} for each in questions])
    asked = [with_slips(questions[2], 1, made), questions[0], sentence(made, 20)]
    held = write(tmp_path / "eval.jsonl", [{"prompt": each, "completion": "no"} for each in asked])
    result = scan(train, eval_paths=[held], near=NEAR)
    flags = {row: [(flag.name, flag.reason) for flag in found] for row, found in result.row_flags.items()}
    assert flags[0] == [("leak_exact", "same prompt as in eval.jsonl, line 2")]
    assert flags[2] == [
        ("leak_near", f"{percent(jaccard(questions[2], asked[0]))} similar to the prompt in eval.jsonl, line 1")
    ]
    assert result.near is not None
    assert [(leak.row, leak.entry) for leak in result.near.leaks] == [(2, 0)]
    assert 1 not in flags


def test_a_near_leak_that_is_said_to_be_none_is_none_and_the_next_eval_row_it_is_like_is_named(tmp_path: Path) -> None:
    made = random.Random(6)
    asked = sentence(made, 30)
    rows = [{"prompt": with_slips(asked, 1, made), "completion": "yes"} for _ in range(2)]
    rows += [{"prompt": rows[0]["prompt"], "completion": "no"}, {"prompt": sentence(made, 30), "completion": "yes"}]
    train = write(tmp_path / "train.jsonl", rows)
    others = [{"prompt": asked, "completion": "?"}, {"prompt": with_slips(asked, 2, made), "completion": "?"}]
    held = write(tmp_path / "eval.jsonl", others)

    def leaks(*apart: tuple[str, str]) -> list[tuple[int, int]]:
        found = scan(train, eval_paths=[held], near=NEAR, apart=apart).near
        assert found is not None
        assert {leak.key for leak in found.leaks} <= {key_of(other) for other in others}
        return [(leak.row, leak.entry) for leak in found.leaks]

    def key_of(row: dict[str, str]) -> str:
        return key_text(row_digest(row), 0)

    pairs = [(key_of(rows[0]), key_of(other)) for other in others]
    assert leaks() == [(0, 0), (1, 0), (2, 0)]
    assert leaks(pairs[0]) == [(0, 1), (1, 0), (2, 1)], "it holds for the same prompt with another answer, too"
    assert leaks(*(pair[::-1] for pair in pairs)) == [(1, 0)]


def test_not_a_duplicate_is_remembered_in_the_workspace_and_can_be_undone(tmp_path: Path) -> None:
    made = random.Random(5)
    text = sentence(made, 40)
    file = texts_file(tmp_path / "a.jsonl", [text, with_slips(text, 1, made)])
    result = scan(file, near=NEAR)
    pair = key(result, 0), key(result, 1)
    store = DecisionStore(tmp_path)
    store.set_apart(pair[1], pair[0]).result(PATIENCE)
    assert store.standings() == {}, "a decision on two rows is none on either"
    assert store.apart() == read_ledger(tmp_path).apart() == {tuple(sorted(pair))}
    again = scan(file, near=NEAR, apart=read_ledger(tmp_path).apart())
    assert again.near is not None
    assert again.near.clusters == ()
    store.decide(pair_key(*pair), "undo").result(PATIENCE)
    store.close()
    assert read_ledger(tmp_path).apart() == frozenset()


def test_a_search_can_be_stopped_and_says_what_it_is_doing(tmp_path: Path) -> None:
    made = random.Random(6)
    file = texts_file(tmp_path / "a.jsonl", [sentence(made, 5) for _ in range(2_500)])
    phases: list[str] = []
    reported: list[tuple[str, int, int]] = []
    scan(
        file,
        near=NEAR,
        on_phase=phases.append,
        on_progress=lambda done, of: reported.append((phases[-1] if phases else "", done, of)),
    )
    assert phases == ["sketching", "comparing", "choosing rows to keep"]
    assert [(done, of) for phase, done, of in reported if phase == "sketching"][:2] == [(0, 2_498), (1_000, 2_498)], (
        "two are equal"
    )
    with pytest.raises(ScanStopped):
        scan(file, near=NEAR, should_stop=lambda: "comparing" in phases[3:], on_phase=phases.append)


def test_removals_of_a_real_file_name_a_row_that_stays_whatever_was_excluded(public_data: Path) -> None:
    result = scan(public_data / "gpteacher_toolformer.json", near=NEAR)
    assert result.near is not None
    assert "10 shared prefixes" in result.near.excluded[0]
    values = json.loads((public_data / "gpteacher_toolformer.json").read_text(encoding="utf-8"))
    whole = [" ".join("\n".join(map(str, value.values())).lower().split()) for value in values]
    drops = [(drop, cluster) for cluster in result.near.clusters for drop in cluster.drop]
    assert len(drops) > 300
    for drop, cluster in drops:
        assert drop.because_of in cluster.keep
        assert jaccard(whole[drop.row], whole[drop.because_of]) >= 0.8


def run_job(folder: JobFolder) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "core.dataset.scan.job", str(folder.path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_scan_job_writes_the_clusters_and_leaves_no_texts_behind(tmp_path: Path) -> None:
    made = random.Random(7)
    text = sentence(made, 40)
    file = texts_file(tmp_path / "a.jsonl", [text, with_slips(text, 1, made), text, sentence(made, 40)])
    here = scan(file, near=NEAR)
    payload = {"paths": [str(file)], "near": {"threshold": 0.8, "keep": "longest"}}
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload=payload)
    ended = run_job(folder)
    assert ended.returncode == 0, ended.stderr
    reader = ScanReader(folder.path)
    assert here.near is not None
    assert reader.clusters() == list(here.near.clusters)
    summary = reader.summary()
    assert summary is not None
    assert summary["near"]["keep"] == "longest"
    assert summary["flags"]["near_duplicate"] == 1
    assert [flag.of for flag in reader.poll().flags[1]] == [0]
    assert {path.name for path in reader.folder.iterdir()} == {
        "bad.jsonl",
        "clusters.jsonl",
        "flags.jsonl",
        "keys.bin",
        "leaks.jsonl",
        "shared.json",
        "summary.json",
    }


def test_the_scan_job_honours_what_the_workspace_holds_apart(tmp_path: Path) -> None:
    made = random.Random(8)
    text = sentence(made, 40)
    file = texts_file(tmp_path / "a.jsonl", [text, with_slips(text, 1, made)])
    result = scan(file)
    store = DecisionStore(tmp_path)
    store.set_apart(key(result, 0), key(result, 1)).result(PATIENCE)
    store.close()
    payload = {"paths": [str(file)], "near": {"threshold": 0.8}, "workspace": str(tmp_path)}
    folder = JobFolder.create(tmp_path / "runs", "scan", "scan", payload=payload)
    assert run_job(folder).returncode == 0
    assert ScanReader(folder.path).clusters() == []


def command_line(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tui.cli", "scan", *words]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_the_command_line_shows_the_largest_clusters_cleaned(tmp_path: Path) -> None:
    made = random.Random(9)
    text = "\x1b]52;c;aGk=\x07" + sentence(made, 40)
    texts_file(tmp_path / "a.jsonl", [text, text + " more", sentence(made, 40)])
    shown = command_line("a.jsonl", "--near", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "near-duplicates at 80%: 1 cluster; 1 row removable" in shown.stdout
    assert "row 1" in shown.stdout
    assert "of row 1" in shown.stdout
    assert "\x1b" not in shown.stdout
    longest = json.loads(command_line("a.jsonl", "--near", "0.8", "--keep", "longest", "--json", cwd=tmp_path).stdout)
    assert longest["clusters"][0]["keep"] == [1]
    refused = command_line("a.jsonl", "--near", "0.2", cwd=tmp_path)
    assert refused.returncode == 2
    assert "0.2 is not a valid similarity threshold" in refused.stderr


def test_what_the_command_finds_is_kept_as_a_search_leaves_it_and_in_a_workspace_alone(tmp_path: Path) -> None:
    made = random.Random(10)
    rows: list[dict[str, object]] = [{"prompt": sentence(made, 20), "completion": "yes"} for _ in range(6)]
    rows += [{**rows[0], "completion": "yes."}, rows[1]]
    train = write(tmp_path / "train.jsonl", rows)
    train.write_text("{broken\n" + train.read_text())
    asked = [{"prompt": with_slips(str(rows[2]["prompt"]), 1, made), "completion": "no"}, {**rows[3]}]
    held = write(tmp_path / "eval.jsonl", asked)
    words = ("train.jsonl", "--near", "--eval", "eval.jsonl", "--json")
    assert command_line(*words, cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval.jsonl", "train.jsonl"], "it only reads here"

    (tmp_path / ".tunedeck").mkdir()
    for _ in range(2):
        report = json.loads(command_line(*words, cwd=tmp_path).stdout)
    (job,) = (tmp_path / ".tunedeck" / "jobs").glob("*-near-*")
    assert last_search(tmp_path, [str(train)], None, {}, [str(held)]) == job
    kept = ScanReader(job)
    assert [cluster.to_json() for cluster in kept.clusters() or ()] == report["clusters"] != []
    assert [leak.row for leak in kept.leaks()] == [2]

    searched = JobFolder.create(tmp_path / "runs", "scan", "scan", payload=JobFolder(job).read_job()["payload"])
    assert run_job(searched).returncode == 0
    search = ScanReader(searched.path)
    assert kept.summary() == search.summary()
    assert kept.poll() == search.poll()
    assert {path.name for path in kept.folder.iterdir()} == {path.name for path in search.folder.iterdir()}
    for name in ("keys.bin", "bad.jsonl", "clusters.jsonl", "leaks.jsonl", "shared.json"):
        assert (kept.folder / name).read_bytes() == (search.folder / name).read_bytes(), name


def test_a_scan_without_near_never_loads_numpy(tmp_path: Path) -> None:
    texts_file(tmp_path / "a.jsonl", ["one", "two"])
    code = "import sys; from core.dataset.scan.scan import scan; scan('a.jsonl'); print('numpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert ended.stdout.strip() == "False"
