"""The measure job: the tokens of every row of a data set as it is opened, edits included, resumable, and true."""

from __future__ import annotations

import json
from pathlib import Path

from core.dataset.audit.store import DecisionStore
from core.dataset.dataset import Dataset
from core.dataset.scan.job import main as scan_job
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.view.report import write_report
from core.jobs.folder import JobFolder
from core.recipe.recipe import to_json
from core.runs.curate import curate
from core.runs.start import _stamp_audit
from core.runs.token_facts import TokenFacts, TokenFactsWriter
from core.runs.token_job import payload_of
from tests.e2e.test_commands import tunedeck
from tests.kit.training_runs import lines, recipe, talk, work
from tests.kit.waiting import PATIENCE
from tests.kit.warm.process import WarmPython


def _measure(warm: WarmPython, workspace: Path, data: Path, max_length: int = 100) -> TokenFacts:
    payload = payload_of(Dataset.open(data), recipe(data__max_length=max_length), workspace, workspace)
    folder = JobFolder.create(workspace / "jobs", "tokens", "measure", payload=payload)
    done = work(warm, "core.training.measure_job", folder.path)
    assert done.returncode == 0, done.stderr + str(folder.read_status())
    return TokenFacts(Path(payload["cache"]))


def test_every_good_row_is_measured_as_it_will_be_trained(warm_python: WarmPython, tmp_path: Path) -> None:
    data = tmp_path / "talks.jsonl"
    rows = [{"messages": talk(number)["messages"]} for number in range(4)]
    silent = {"messages": [{"role": "user", "content": "Anybody?"}]}
    long = {"messages": [rows[0]["messages"][0], {"role": "assistant", "content": "word " * 120 + "the very end"}]}
    data.write_text("\n".join(map(json.dumps, [*rows, silent, long])).replace("\n", "\n{broken\n", 1) + "\n")
    facts = _measure(warm_python, tmp_path, data)
    assert facts.complete
    found = list(facts.rows())
    assert [row.row for row in found] == list(range(6)), "a bad line has no row"
    view = tmp_path / "view.jsonl"
    samples = [Dataset.open(data).sample(entry).to_json() for entry in (0, 2, 3, 4, 5, 6)]
    view.write_text("".join(json.dumps({"key": "", "row": n, "sample": each}) + "\n" for n, each in enumerate(samples)))
    source, out = tmp_path / "recipe.json", tmp_path / "out.jsonl"
    source.write_text(json.dumps(to_json(recipe(data__max_length=100))))
    assert work(warm_python, "core.training.measure", source, view, out).returncode == 0
    for row, said in zip(found, lines(out), strict=True):
        assert [row.tokens, row.trained, row.lost, row.lost_trained] == [
            said[name] for name in ("tokens", "trained", "lost", "lost_trained")
        ]
    flags = facts.all_flags()
    assert [flag.name for flag in flags[4]] == ["zero_trained"]
    assert [flag.name for flag in flags[5]] == ["cut"]
    assert f"{found[5].lost} tokens lost" in flags[5][0].reason
    assert "the very end" in flags[5][0].reason
    assert set(flags) == {4, 5}


def test_scan_and_the_reports_name_the_flags_of_tokens_that_were_counted(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    data = tmp_path / "talks.jsonl"
    rows = [{"messages": talk(number)["messages"]} for number in range(4)]
    silent = {"messages": [*rows[1]["messages"], {"role": "assistant", "content": "Never said.", "trained": False}]}
    long = {"messages": [rows[0]["messages"][0], {"role": "assistant", "content": "word " * 120 + "the very end"}]}
    wordless = {"messages": [{"role": "user", "content": "Anybody?"}]}
    data.write_text("\n".join(map(json.dumps, [*rows[:2], wordless, *rows[2:], long, silent])) + "\n")
    before = json.loads(tunedeck(tmp_path, "scan", "talks.jsonl", "--json").stdout)
    assert "tokens" not in before, "a scan counts none itself"
    assert not {"zero_trained", "cut"} & set(before["flags"])

    facts = _measure(warm_python, tmp_path, data)
    found = json.loads(tunedeck(tmp_path, "scan", "talks.jsonl", "--json").stdout)
    assert (found["flags"]["zero_trained"], found["flags"]["cut"]) == (1, 1)
    assert found["tokens"]["tokens"] == sum(row.tokens for row in facts.rows())
    assert found["tokens"]["trained"] == sum(row.trained for row in facts.rows())
    assert found["tokens"]["max_length"] == 100
    said = tunedeck(tmp_path, "scan", "talks.jsonl").stdout
    (zero,) = [line for line in said.splitlines() if "no trained tokens" in line]
    (cut,) = [line for line in said.splitlines() if "longer than max length" in line]
    assert "row 3" in zero
    assert "row 6" in cut

    scan = JobFolder.create(tmp_path / ".tunedeck" / "jobs", "scan", "scan", payload={"paths": [str(data)]})
    assert scan_job([str(scan.path)]) == 0
    counted = write_report(tmp_path, [data], scan.path / "scan", token_flags=facts.all_flags()).read_text()
    assert "| longer than max length | 1 |" in counted
    assert "| no trained tokens | 1 |" in counted
    uncounted = write_report(tmp_path, [data], scan.path / "scan").read_text()
    assert "longer than max length | 1" not in uncounted

    chosen = recipe(data__max_length=100, data__train=(str(data),))
    view = curate(chosen, tmp_path)
    run = JobFolder.create(tmp_path / "runs", "talks", "training")
    run.data.mkdir()
    _stamp_audit(chosen, tmp_path, view, run)
    assert "| longer than max length | 1 |" in (run.data / "audit.md").read_text()


def test_a_job_goes_on_where_one_was_stopped_and_measures_edited_rows_again(
    warm_python: WarmPython, tmp_path: Path
) -> None:
    data = tmp_path / "talks.jsonl"
    rows = [{"messages": talk(number)["messages"]} for number in range(5)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = list(_measure(warm_python, tmp_path, data).rows())
    cache = TokenFacts(Path(payload_of(Dataset.open(data), recipe(data__max_length=100), tmp_path, tmp_path)["cache"]))
    with (cache.folder / "facts.bin").open("r+b") as file:
        file.truncate(3 * 28)
    writer = TokenFactsWriter(cache.folder, {})
    writer.close()
    assert cache.count == 3
    store = DecisionStore(tmp_path)
    edit = talk(1, "Yes.")
    store.decide(key_text(row_digest(rows[1]), 0), "edit", {"sample": edit}).result(PATIENCE)
    again = list(_measure(warm_python, tmp_path, data).rows())
    assert cache.complete
    assert [row.tokens for row in again[2:]] == [row.tokens for row in whole[2:]]
    assert again[1].edit
    assert again[1].tokens < whole[1].tokens
    store.decide(key_text(row_digest(rows[1]), 0), "undo").result(PATIENCE)
    store.close()
    assert list(_measure(warm_python, tmp_path, data).rows()) == whole
