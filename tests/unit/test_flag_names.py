"""Flags that were renamed: whatever an earlier release has written down is read under today's names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.audit.queue import AuditLog
from core.dataset.checks import CHECKS, Flag
from core.dataset.flag_names import RENAMED, flag_counts, flag_name
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.resume import begun
from core.dataset.view.plan import build_view
from core.dataset.view.view import read_view
from core.dataset.write.write import export_view
from core.recipe.recipe import KNOBS, from_json
from core.recipe.rules.validate import validate
from core.recipe.yamlfile import load

OLD = "normalised_duplicate"
NEW = "normalized_duplicate"


def pairs(path: Path) -> Path:
    rows = [{"prompt": f"What is {number}?", "completion": f"It is {number}."} for number in range(6)]
    rows += [{"prompt": "WHAT IS 3?", "completion": "it is 3."}, {"prompt": "alone"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_old_names_mean_names_that_checks_have() -> None:
    names = {check.name for check in CHECKS}
    for old, new in RENAMED.items():
        assert old not in names
        assert new.removesuffix(" in eval") in names
    assert flag_counts({"bad_row": 2, "unreadable": 1, "secret": 4}) == {"unreadable": 3, "secret": 4}


def test_a_recipe_with_old_names_drops_the_same_rows(tmp_path: Path) -> None:
    data = pairs(tmp_path / "rows.jsonl")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"data:\n  train: {data}\n  drop_flags: [bad_row, {OLD}]\n")
    assert load(recipe).data.drop_flags == ("unreadable", NEW)
    assert from_json({"data": {"drop_flags": [OLD]}}).data.drop_flags == (NEW,)
    assert KNOBS["data.drop_flags"].parse(f"{OLD}, secret") == (NEW, "secret")
    assert not [each for each in validate(load(recipe)) if each.path == "data.drop_flags"]
    views = [build_view(tmp_path, paths=[data], eval_fraction=0.0, drop_flags=(name,)) for name in (OLD, NEW)]
    assert views[0].dropped == views[1].dropped == {NEW: 1, "unreadable": 1}
    assert views[0].fingerprint == views[1].fingerprint


def test_the_command_line_takes_old_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tui.cli import main

    monkeypatch.chdir(tmp_path)
    pairs(tmp_path / "rows.jsonl")
    assert main(["export-data", "rows.jsonl", "--to", "jsonl", "--drop", OLD, "--out", "out.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejects"] == {NEW: 1, "unreadable": 1}


def test_stored_scans_are_read_under_todays_names(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    flags = [{"name": "bad_row", "reason": "no text", "of": None, "severity": "error"}, {"name": OLD, "reason": "r"}]
    line = json.dumps({"row": 0, "flags": flags})
    (folder / "flags.jsonl").write_text(line + "\n")
    (folder / "bad.jsonl").touch()
    (folder / "keys.bin").write_bytes(bytes(20))
    place = {"entries": 1, "rows": 1, "flags_bytes": len(line) + 1, "bad_bytes": 0}
    summary = {"complete": False, "flags": {"bad_row": 1}, "begun": place}
    (folder / "summary.json").write_text(json.dumps(summary))
    reader = ScanReader(tmp_path)
    assert [flag.name for flag in reader.poll().flags[0]] == ["unreadable", NEW]
    found = reader.summary()
    assert found is not None
    assert found["flags"] == {"unreadable": 1}
    assert begun(folder).counts == {"unreadable": 1, NEW: 1}
    assert Flag.from_json(flags[1]).to_json()["name"] == NEW


def test_stored_audits_and_views_are_read_under_todays_names(tmp_path: Path) -> None:
    data = pairs(tmp_path / "rows.jsonl")
    log = AuditLog(tmp_path, [data])
    log.path.parent.mkdir(exist_ok=True)
    record = {"mode": "flag", "seed": 0, "size": 1, "entries": 8, "flag": "bad_row", "started": 1.0}
    log.path.write_text(json.dumps({"data": [str(data)], **record}) + "\n")
    assert [audit.flag for audit in log.audits()] == ["unreadable"]

    view = build_view(tmp_path, paths=[data], eval_fraction=0.0)
    for name in ("manifest.json", "left_out.jsonl"):
        path = view.folder / name
        path.chmod(0o644)
        path.write_text(path.read_text().replace('"unreadable"', '"bad_row"'))
    old = read_view(view.folder)
    assert old.dropped == {"unreadable": 1}
    exported = export_view(old, "jsonl", tmp_path / "out.jsonl")
    assert exported.rejects == {"unreadable": 1}
    assert '"reason":"unreadable"' in exported.rejects_path.read_text()
    assert flag_name("secret") == "secret"
