"""The main job on real input: the real program in a real pseudo-terminal, from the data file to the adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.jobs import requests
from core.jobs.folder import JobFolder
from tests.kit.walk import desk_data, fill_in_recipe, open_deck, tunedeck_json
from tests.kit.warm.process import WarmPython

FIRST_QUESTION = "Is there an export of all projects, clients and invoices at once?"


def test_keys_alone_lead_from_the_data_file_to_an_adapter(tmp_path: Path, warm: WarmPython) -> None:
    desk_data(tmp_path)
    with open_deck(tmp_path, "tickets.jsonl") as terminal:
        terminal.wait_for("252 rows")
        terminal.send("d")
        terminal.wait_for("row 1 dropped. Why?")
        terminal.send("escape")  # without a reason
        terminal.wait_until(lambda screen: "Why?" not in screen, what="the reasons gone")
        terminal.send("2")
        terminal.wait_for("should you fine-tune?")
        terminal.send("escape")
        terminal.wait_for("2 RECIPE")
        fill_in_recipe(terminal, steps=12)
        terminal.send("f5")
        terminal.wait_for("3 TRAIN", 60)
        terminal.wait_for("4 to see the result", 180)
        terminal.send("4")
        terminal.wait_for("answers differ", 30)
        terminal.wait_for("tuned")
        terminal.send("5")
        terminal.wait_for("from peft import", 30)
        terminal.send("q")
        assert terminal.wait_exit() == 0

    (run,) = tunedeck_json(tmp_path, "runs")
    assert run["state"] == "finished"
    folder = Path(run["folder"])
    assert (folder / "adapter" / "adapter_model.safetensors").stat().st_size > 100_000
    trained_on = (folder / "data" / "train.jsonl").read_text(encoding="utf-8")
    assert FIRST_QUESTION not in trained_on
    assert trained_on.count("\n") > 150


@pytest.mark.slow
def test_a_closed_terminal_takes_nothing_with_it_and_the_next_one_lands_on_the_live_screen(
    tmp_path: Path, warm: WarmPython
) -> None:
    desk_data(tmp_path)
    with open_deck(tmp_path, "tickets.jsonl") as terminal:
        terminal.wait_for("252 rows")
        terminal.send("2")
        terminal.wait_for("should you fine-tune?")
        terminal.send("escape")
        terminal.wait_for("2 RECIPE")
        fill_in_recipe(terminal, steps=16)
        terminal.send("f5")
        terminal.wait_for("3 TRAIN", 60)
        # Else a fast machine would be done before the next terminal is there.
        (folder,) = (tmp_path / "runs").iterdir()
        requests.ask(JobFolder(folder), requests.PAUSE)
        terminal.wait_for("paused", 120)
        terminal.close()
        assert terminal.wait_exit() != 0
    with open_deck(tmp_path, cols=100, rows=30) as again:
        again.wait_for("3 TRAIN", 30)
        again.wait_for("paused", 30)
        again.send("p")
        again.wait_for("of 16", 120)
        again.wait_for("4 to see the result", 180)
    (run,) = tunedeck_json(tmp_path, "runs")
    assert run["state"] == "finished"
    assert (Path(run["folder"]) / "adapter" / "adapter_model.safetensors").exists()
