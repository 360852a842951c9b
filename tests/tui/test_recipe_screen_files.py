"""The files of the recipe screen: presets, YAML, saving and opening, and the draft that no crash loses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import OptionList, Static

from core.recipe.presets import PRESETS
from core.recipe.recipe import Recipe, get, put
from core.recipe.yamlfile import dumps, load, save
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import answer, form, kept, line, screen, sound, workspace, yaml
from tui.app import TunedeckApp
from tui.recipe.files import draft_of
from tui.recipe.preset_menu import PresetMenu
from tui.recipe.prompt import RecipePrompt
from tui.widgets.path_input import PathInput

__all__ = ["workspace"]

MakeApp = Callable[..., TunedeckApp]


async def test_a_preset_sets_its_fields_and_can_be_taken_back(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("f8")
        await until(
            pilot, lambda: isinstance(app.screen, PresetMenu) and bool(app.screen.query(OptionList)), "the menu"
        )
        assert app.screen.query_one(OptionList).option_count == len(PRESETS)
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert all(get(app.session.recipe, path) == value for path, value in PRESETS[2].values.items())
        assert app.session.recipe.model.path == str(workspace / "model")
        await pilot.press("ctrl+underscore")
        assert app.session.recipe == sound(workspace)
        await pilot.press("f8")
        await until(pilot, lambda: isinstance(app.screen, PresetMenu), "the menu")
        await pilot.press(*["down"] * 3, "e")
        await pilot.pause()
        preset = PRESETS[3]
        assert app.session.recipe.data.train == (str(preset.example_path),)
        assert app.session.recipe.model.path == str(workspace / "model")
        assert preset.watch in line(app)


# --- files and the draft


async def test_save_asks_for_a_name_once_and_what_is_loaded_again_is_the_same(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("ctrl+s")
        assert screen(app).query_one(RecipePrompt).display
        await pilot.press("enter")
        path = workspace / "tickets.yaml"
        assert load(path) == sound(workspace)
        assert str(path) in line(app)
        assert app.session.recipe_path == path
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("8", "ctrl+s")
        assert load(path).lora.rank == 8
        await pilot.press("escape", "ctrl+n")
        assert app.session.recipe == Recipe()
        assert app.session.recipe_path is None
        await answer(app, pilot, "ctrl+o", "tickets.yaml")
        assert app.session.recipe.lora.rank == 8
        assert "not saved" not in str(form(app).border_title)


async def test_saving_after_an_open_was_taken_back_does_not_write_over_the_opened_file(
    make_app: MakeApp, workspace: Path
) -> None:
    other = put(sound(workspace), "lora.rank", 99)
    save(other, workspace / "other.yaml")
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await answer(app, pilot, "ctrl+o", "other.yaml")
        assert app.session.recipe == other
        await pilot.press("ctrl+underscore", "ctrl+s", "enter")
        assert load(workspace / "other.yaml") == other
        assert load(workspace / "tickets.yaml") == sound(workspace)


async def test_a_recipe_that_cannot_be_read_is_reported_with_its_line_and_nothing_is_lost(
    make_app: MakeApp, workspace: Path
) -> None:
    (workspace / "bad.yaml").write_text("name: x\nlora:\n  rank: many\n")
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await answer(app, pilot, "ctrl+o", "bad.yaml")
        prompt = screen(app).query_one(RecipePrompt)
        assert prompt.display
        words = prompt.query_one("#prompt-words", Static).render().plain  # type: ignore[union-attr]
        assert "line 3" in words
        assert "whole number" in words
        await pilot.press("escape")
        assert not prompt.display
        assert app.session.recipe == sound(workspace)


async def test_a_folder_that_is_not_there_keeps_the_question_open(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await answer(app, pilot, "ctrl+s", "no/where.yaml")
        prompt = screen(app).query_one(RecipePrompt)
        assert prompt.display
        assert "Cannot write the recipe" in prompt.query_one("#prompt-words", Static).render().plain  # type: ignore[union-attr]
        assert app.session.recipe_path is None


async def test_a_wrong_value_is_not_saved_as_if_it_were_the_one_before(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("x", "escape", "home", "ctrl+s")
        assert not screen(app).query_one(RecipePrompt).display
        assert "Rank must be a whole number, got 'x'" in line(app)
        assert form(app).current.key == "lora.rank"


async def test_a_killed_app_goes_on_with_the_draft(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe")
    draft = workspace / ".tunedeck" / "draft.yaml"
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("6", "4")
        await kept(pilot, draft, put(Recipe(), "lora.rank", 64))
    again = make_app("recipe")
    async with again.run_test() as pilot:
        assert again.session.recipe.lora.rank == 64
        assert "unsaved recipe" in line(again)
        await pilot.press("ctrl+n")
        assert again.session.recipe == Recipe()
    third = make_app("recipe")
    async with third.run_test():
        assert third.session.recipe == Recipe()


async def test_a_draft_that_cannot_be_read_is_kept_and_told(make_app: MakeApp, workspace: Path) -> None:
    draft = workspace / ".tunedeck" / "draft.yaml"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text("lora:\n  rank: many\n")
    app = make_app("recipe")
    async with app.run_test() as pilot:
        assert "cannot be read" in line(app)
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("8")
        await kept(pilot, draft, put(Recipe(), "lora.rank", 8))
    assert "many" in (draft.parent / "draft.unreadable.yaml").read_text()


async def left_with_rank_7(make_app: MakeApp, workspace: Path) -> Path:
    """The file of a recipe that was opened, given rank 7 and left by quitting."""
    path = workspace / "mine.yaml"
    save(sound(workspace), path)
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await answer(app, pilot, "ctrl+o", "mine.yaml")
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("7", "escape", "q")
    assert load(path) == sound(workspace)
    return path


@pytest.mark.parametrize("named", [False, True])
async def test_unsaved_changes_to_a_named_recipe_are_back_at_the_next_start(
    make_app: MakeApp, workspace: Path, named: bool
) -> None:
    path = await left_with_rank_7(make_app, workspace)
    again = make_app("recipe", recipe_path=path if named else None)
    async with again.run_test(size=(160, 24)) as pilot:
        assert again.session.recipe == put(sound(workspace), "lora.rank", 7)
        assert f"to {path}" in line(again)
        assert "mine.yaml · not saved" in str(form(again).border_title)
        await pilot.press("ctrl+underscore")
        await until(pilot, lambda: again.session.recipe == sound(workspace), "the recipe before")
        await pilot.press("ctrl+underscore")
        await until(pilot, lambda: again.session.recipe_path == path, "its file")


async def test_unsaved_changes_are_back_when_their_file_is_opened_again(make_app: MakeApp, workspace: Path) -> None:
    path = await left_with_rank_7(make_app, workspace)
    again = make_app("recipe", recipe=put(sound(workspace), "lora.rank", 99))
    async with again.run_test() as pilot:
        await answer(again, pilot, "ctrl+o", "mine.yaml")
        assert again.session.recipe.lora.rank == 7
        await pilot.press("ctrl+s")
        assert load(path).lora.rank == 7
    third = make_app("recipe", recipe_path=path)
    async with third.run_test():
        assert not screen(third).check_action("undo", ())


async def test_a_draft_older_than_its_file_is_put_aside_and_told(make_app: MakeApp, workspace: Path) -> None:
    path = await left_with_rank_7(make_app, workspace)
    draft = draft_of(workspace, path)
    os.utime(draft, (1, 1))
    again = make_app("recipe", recipe_path=path)
    async with again.run_test(size=(160, 24)):
        assert again.session.recipe == sound(workspace)
        assert draft.with_suffix(".earlier.yaml").name in line(again)
    assert load(draft.with_suffix(".earlier.yaml")).lora.rank == 7


@pytest.mark.parametrize("start", ["recipe", "runs"])
async def test_the_recipe_of_a_run_is_a_template_and_its_folder_is_never_written(
    make_app: MakeApp, workspace: Path, start: str
) -> None:
    run = workspace / "runs" / "2026-11-21-231204-desk"
    run.mkdir(parents=True)
    (run / "job.json").write_text("{}")
    record = run / "recipe.yaml"
    save(sound(workspace), record)
    before = record.read_bytes()
    (workspace / "tickets.yaml").write_text("name: another\n")
    app = make_app(start)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        app.load_recipe(record)
        await pilot.pause()
        assert app.session.recipe == sound(workspace)
        assert "from run 2026-11-21-231204-desk · not saved" in str(form(app).border_title)
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("7", "ctrl+s")
        prompt = screen(app).query_one(RecipePrompt)
        assert prompt.display
        assert prompt.query_one(PathInput).value == "tickets-2.yaml"
        for name in ("runs/2026-11-21-231204-desk/recipe.yaml", "runs/2026-11-21-231204-desk/other.yaml"):
            prompt.query_one(PathInput).value = name
            await pilot.press("enter")
            assert "cannot be changed" in prompt.query_one("#prompt-words", Static).render().plain  # type: ignore[union-attr]
        prompt.query_one(PathInput).value = "tickets-2.yaml"
        await pilot.press("enter")
        assert load(workspace / "tickets-2.yaml").lora.rank == 7
        assert "tickets-2.yaml" in str(form(app).border_title)
    assert record.read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == ["job.json", "recipe.yaml"]


async def test_a_recipe_that_is_opened_or_cloned_begins_at_its_first_field_and_nothing_is_being_typed(
    make_app: MakeApp, workspace: Path
) -> None:
    save(put(sound(workspace), "lora.rank", 99), workspace / "other.yaml")
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        form(app).go_to("lora.alpha", edit=True)
        await pilot.press("9")
        app.action_step("runs")
        app.load_recipe(workspace / "other.yaml")
        await pilot.pause()
        assert form(app).current.key == form(app).keys[0]
        form(app).go_to("lora.alpha", edit=True)
        await answer(app, pilot, "ctrl+o", "other.yaml")
        assert form(app).current.key == form(app).keys[0]
        await pilot.press("6")
        assert app.current_mode == "runs"
        assert app.session.recipe == put(sound(workspace), "lora.rank", 99)


async def test_what_was_said_of_an_empty_recipe_goes_when_it_is_taken_back(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("ctrl+n")
        assert "New recipe" in line(app)
        await pilot.press("ctrl+underscore")
        assert app.session.recipe == sound(workspace)
        assert "New recipe" not in line(app)


async def left_with_a_changed_clone(make_app: MakeApp, workspace: Path) -> Recipe:
    """The recipe of a run that was cloned, given rank 7 and left by quitting."""
    run = workspace / "runs" / "2026-11-21-231204-tickets"
    run.mkdir(parents=True)
    (run / "job.json").write_text("{}")
    recipe = put(put(sound(workspace), "name", "tickets"), "data.view", "53bbbd8b")
    save(recipe, run / "recipe.yaml")
    app = make_app("runs")
    async with app.run_test() as pilot:
        app.load_recipe(run / "recipe.yaml")
        await pilot.pause()
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("7", "escape", "q")
    return put(recipe, "lora.rank", 7)


async def test_unsaved_changes_to_a_recipe_of_other_data_wait_until_it_is_opened(
    make_app: MakeApp, workspace: Path
) -> None:
    changed = await left_with_a_changed_clone(make_app, workspace)
    other = workspace / "other.jsonl"
    other.write_bytes((workspace / "tickets.jsonl").read_bytes())
    app = make_app("recipe", data=(other,))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.session.recipe == put(Recipe(), "data.train", (str(other),))
        assert str(form(app).border_title).startswith("new recipe")
        words = screen(app).query_one("#line")
        await pilot.pause()
        assert "then c to restore them" in line(app)
        assert words.size.height == 2  # the sentence is longer than the screen is wide
        app.action_step("runs")
        app.load_recipe(workspace / "runs" / "2026-11-21-231204-tickets" / "recipe.yaml")
        await pilot.pause()
        assert app.session.recipe == changed  # the data that is open is no business of a recipe that has its own
    again = make_app("recipe", data=(workspace / "tickets.jsonl",))
    async with again.run_test():
        assert again.session.recipe == changed


async def test_a_cloned_recipe_that_is_given_other_data_loses_what_was_made_from_the_old(
    make_app: MakeApp, workspace: Path
) -> None:
    await left_with_a_changed_clone(make_app, workspace)
    other = workspace / "other.jsonl"
    other.write_bytes((workspace / "tickets.jsonl").read_bytes())
    app = make_app("recipe")
    async with app.run_test() as pilot:
        assert app.session.recipe.data.view == "53bbbd8b"
        app.action_step("runs")
        app.session.data = (other,)
        app.action_step("recipe")
        await pilot.pause()
        recipe = app.session.recipe
        assert (recipe.data.train, recipe.data.view, recipe.name) == ((str(other),), "", "")
        assert recipe.lora.rank == 7


async def test_the_yaml_view_is_the_file_that_would_be_saved(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=(240, 45)) as pilot:
        await pilot.press("ctrl+y")
        wanted = dumps(sound(workspace), file_name="tickets.yaml").splitlines()
        await until(pilot, lambda: len(yaml(app).splitlines()) > 30, "the file")
        shown = yaml(app).splitlines()
        assert "not saved yet" in shown[0], "no command trains a file that is not there"
        for n, text in enumerate(shown[1:], 1):
            assert wanted[n].startswith(text.rstrip("…").rstrip())
        await pilot.press("escape")
        assert form(app).has_focus


# --- the start
