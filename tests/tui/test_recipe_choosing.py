"""Where the recipe screen starts, and what it offers: the first missing field, models, all fields, whole YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from core.recipe.memory import Forecast
from core.recipe.recipe import KNOBS, put
from core.recipe.sections.data import MixSource
from core.recipe.yamlfile import save
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import form, line, looked, screen, sound, workspace, yaml
from tui.app import TunedeckApp
from tui.recipe.facts import RecipeFacts, Room, memory_title
from tui.recipe.records import RecordsEditor
from tui.widgets.filter_menu import FilterMenu
from tui.widgets.text_view import TextView

__all__ = ["workspace"]

MakeApp = Callable[..., TunedeckApp]


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


async def menu(app: TunedeckApp, pilot: Pilot[int], entry: str) -> FilterMenu:
    """The menu, once it has an entry of this key."""
    await until(
        pilot,
        lambda: isinstance(app.screen, FilterMenu) and entry in [item.key for item in app.screen.shown],
        f"{entry} in the menu",
    )
    assert isinstance(app.screen, FilterMenu)
    return app.screen


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"data.train": ()}, "data.train"),
        ({"lora.targets": ()}, "lora.targets"),
        ({"lora.rank": 9}, "name"),
    ],
    ids=["missing", "wrong", "sound"],
)
async def test_the_cursor_starts_at_the_first_field_that_is_missing_or_wrong(
    make_app: MakeApp, workspace: Path, changes: dict[str, object], field: str
) -> None:
    recipe = sound(workspace)
    for path, value in changes.items():
        recipe = put(recipe, path, value)  # type: ignore[arg-type]
    save(recipe, workspace / "mine.yaml")
    app = make_app("recipe", workspace=workspace, recipe_path=workspace / "mine.yaml")
    async with app.run_test() as pilot:
        await looked(app, pilot)
        assert form(app).current.key == field
        await pilot.press("ctrl+n")
        assert form(app).current.key == "model.path"


async def test_enter_on_the_model_lists_models_typing_filters_and_any_text_can_be_taken(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    model = str(workspace / "model")
    async with app.run_test() as pilot:
        form(app).go_to("model.path")
        await pilot.press("enter", *"mod")  # typed at once, before anything is listed
        listed = await menu(app, pilot, model)
        await pilot.press("ctrl+u")
        await until(pilot, lambda: any("demo" in item.title for item in listed.shown), "the demo's model")
        await pilot.press(*"./model")
        assert [item.title for item in listed.shown] == ["./model"]
        await pilot.press("enter")
        assert app.session.recipe.model.path == model
        await pilot.press("enter", *"org/another")
        await menu(app, pilot, "org/another")
        await pilot.press("enter")
        assert app.session.recipe.model.path == "org/another"
        await pilot.press("enter")
        await menu(app, pilot, model)
        await pilot.press("escape")
        assert app.session.recipe.model.path == "org/another"


async def test_text_that_arrives_in_one_read_with_the_enter_before_it_reaches_the_list(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test() as pilot:
        form(app).go_to("model.path")
        await pilot.pause()
        for key in ("enter", *"./model"):
            app.post_message(events.Key(key, None if key == "enter" else key))
        listed = await menu(app, pilot, str(workspace / "model"))
        await until(pilot, lambda: [item.title for item in listed.shown] == ["./model"], "what was typed, in its order")
        assert app.session.recipe.model.path == ""


async def test_a_slash_searches_the_help_of_all_fields_and_goes_to_a_folded_one(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test() as pilot:
        assert "training.neftune_alpha" not in form(app).keys
        await pilot.press("slash", *"embeddings noise")
        found = await menu(app, pilot, "training.neftune_alpha")
        assert found.shown[0].key == "training.neftune_alpha"
        await pilot.press("enter")
        assert form(app).current.key == "training.neftune_alpha"
        await pilot.press("enter", "1", "ctrl+underscore")
        assert app.session.recipe.training.neftune_alpha == 0, "undone while the field is being typed"


async def test_the_search_lists_fields_without_effect_with_the_reason_and_goes_to_what_decides(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test() as pilot:
        await pilot.press("slash", *"adam beta")
        found = await menu(app, pilot, "training.adam_beta1")
        assert len(found._items) == len(KNOBS)
        await pilot.press(*["backspace"] * 9, *"dpo.beta")
        await until(pilot, lambda: [item.key for item in found.shown] == ["dpo.beta"], "the one field")
        assert found.shown[0].beside == "no effect: task is sft"
        await pilot.press("enter")
        assert form(app).current.key == "task"
        assert "no effect now because task is sft" in line(app)
        await pilot.press("slash", *"per_device_train_batch_size", "enter")  # as transformers calls it
        assert form(app).current.key == "training.batch_size"


async def test_a_list_of_records_is_edited_entry_by_entry_and_as_text(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        form(app).go_to("data.mix")
        await pilot.press("enter", "enter", *"tickets.jsonl", "tab", *"2", "escape", "escape")
        editor = app.screen
        assert isinstance(editor, RecordsEditor)
        assert "Share" in str(editor.query_one("#about", Static).render())  # 2 is no share: it is still open
        await pilot.press("enter", *"0.2", "escape", "+", *"other.jsonl", "escape", "-", "escape")
        assert app.session.recipe.data.mix == (MixSource(str(workspace / "tickets.jsonl"), 0.2),)
        await pilot.press("enter", "G", "enter", *"a.jsonl=0.1, b.jsonl=0.3", "escape", "escape")
        assert [source.share for source in app.session.recipe.data.mix] == [0.1, 0.3]
        await pilot.press("enter", "-", "ctrl+r")
        assert len(app.session.recipe.data.mix) == 2
        await pilot.press("enter", "-", "-", "escape")
        assert app.session.recipe.data.mix == ()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_the_yaml_takes_the_whole_width_and_scrolls_right_in_place_of_breaking_a_value(
    make_app: MakeApp, workspace: Path, size: tuple[int, int]
) -> None:
    path = str(workspace / ("long" * 30 + ".jsonl"))
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=size) as pilot:
        app.session.recipe = put(sound(workspace), "data.train", (path,))
        await pilot.press("1", "2", "ctrl+y", *["down"] * 5)
        view = screen(app).query_one(TextView)
        assert view.size.width >= size[0] - 4
        lines = [line for line in yaml(app).splitlines() if line.strip()]
        assert all(line.lstrip().startswith("#") or ":" in line for line in lines)
        (line,) = (line for line in lines if "train:" in line)
        assert line.endswith("…")
        seen = ""
        for _ in range(6):
            seen += yaml(app)
            await pilot.press("right")
        assert ".jsonl]" in seen
        await pilot.press(*["left"] * 6, *["up"] * 5)
        assert yaml(app).splitlines()[0].startswith("# A tunedeck recipe")


def test_the_memory_title_says_first_whether_it_fits_and_is_short_enough_for_120_columns() -> None:
    need = Forecast(30e9, 0, 0, 0, 0, 0, 0)
    for free, verdict in ((2**35, "fits"), (2**34, "DOES NOT FIT")):
        title = memory_title(RecipeFacts(None, "", Room("cuda", "GPU 0", free), need))
        assert title.startswith(f"GPU 0 memory: {verdict}, ~27.9 of ")
        assert len(title) <= 46
