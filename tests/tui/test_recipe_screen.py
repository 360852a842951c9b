"""The recipe screen: the declaration as a form, faults in words, YAML, files, the draft, and the start of a run."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.recipe import templates
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS, Recipe, from_json, get, put
from core.recipe.yamlfile import dumps, load, save
from tests.unit.recipe_models import write_model
from tests.waiting import until
from tui.app import TunedeckApp
from tui.screens.field_help import FieldHelp
from tui.screens.preset_menu import PresetMenu
from tui.screens.recipe import RecipeScreen
from tui.screens.recipe_files import draft_of
from tui.screens.recipe_prompt import RecipePrompt
from tui.widgets.check_list import CheckList
from tui.widgets.form import Form
from tui.widgets.key_bar import KeyBar
from tui.widgets.memory_bar import MemoryBar
from tui.widgets.path_input import PathInput
from tui.widgets.text_view import TextView

MakeApp = Callable[..., TunedeckApp]


def screen(app: TunedeckApp) -> RecipeScreen:
    """The recipe screen, which must be the one that is shown."""
    assert isinstance(app.screen, RecipeScreen)
    return app.screen


def form(app: TunedeckApp) -> Form:
    """The form of the recipe screen."""
    return screen(app).query_one(Form)


def row(app: TunedeckApp, path: str) -> str:
    """The line of a field, wherever the form is scrolled to."""
    view = form(app)
    view.go_to(path)
    place = view.keys.index(path)
    lines = [view.render_line(y).text for y in range(-view.scroll_offset.y, view.size.height)]
    return [line for line in lines if not line.startswith("──")][place]


def help_text(app: TunedeckApp) -> str:
    """What the help panel says."""
    return screen(app).query_one("#help > Static", Static).render().plain  # type: ignore[union-attr]


def line(app: TunedeckApp) -> str:
    """The line of words above the keys."""
    return screen(app).query_one("#line", Static).render().plain  # type: ignore[union-attr]


def yaml(app: TunedeckApp) -> str:
    """The YAML view's text."""
    view = screen(app).query_one(TextView)
    return "\n".join(view.render_line(y).text.rstrip() for y in range(view.size.height))


async def looked(app: TunedeckApp, pilot: Pilot[int]) -> None:
    """Wait until the surroundings of the recipe as it stands have been looked up."""
    for _ in range(500):
        await pilot.pause(0.01)
        if screen(app)._facts.recipe == app.session.recipe:
            return
    raise AssertionError("the surroundings were not looked up")


async def answer(app: TunedeckApp, pilot: Pilot[int], key: str, name: str) -> None:
    """Press a key that asks for a file name, and enter one."""
    await pilot.press(key)
    screen(app).query_one(PathInput).value = name
    await pilot.press("enter")


async def kept(pilot: Pilot[int], draft: Path, wanted: Recipe) -> None:
    """Wait until a draft of this recipe is on disk."""
    for _ in range(500):
        await pilot.pause(0.01)
        if draft.exists() and load(draft) == wanted:
            return
    raise AssertionError("the draft was not written")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a model and data; workers are a command that ends at once, because training has own tests."""
    write_model(tmp_path / "model", template=templates.text("chatml"))
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(20)
    ]
    (tmp_path / "tickets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\nexit 0\n")
    worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TUNEDECK_PYTHON", str(worker))
    return tmp_path


def sound(workspace: Path) -> Recipe:
    """A recipe that can be started in the workspace."""
    recipe = put(Recipe(), "model.path", str(workspace / "model"))
    recipe = put(recipe, "data.train", (str(workspace / "tickets.jsonl"),))
    return put(put(recipe, "lora.rank", 4), "data.max_length", 64)


# --- the form is the declaration


async def test_the_form_has_every_field_of_the_declaration_in_its_order(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        assert form(app).keys == [path for path, knob in KNOBS.items() if not knob.advanced]
        await pilot.press("f4")
        assert form(app).keys == list(KNOBS)


async def test_every_field_shows_its_title_and_default_and_has_help(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        for path, knob in KNOBS.items():
            text = row(app, path)
            assert knob.title in text
            assert knob.format(knob.default)[:30] in text
        await pilot.press("home")
        for path in form(app).keys[:5]:
            assert KNOBS[path].help[:20] in help_text(app)
            assert path in str(screen(app).query_one("#help").border_title)
            await pilot.press("down")


# --- typing


async def test_a_wrong_value_gets_its_sentence_while_typing_and_a_good_one_changes_the_yaml(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("0")
        assert "✗ Rank is at least 1" in row(app, "lora.rank")
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("x")
        assert "wrong  Rank is a whole number, not 'x'." in help_text(app)
        assert app.session.recipe.lora.rank == 16
        await pilot.press("backspace", "6", "4")
        assert app.session.recipe.lora.rank == 64
        assert "wrong" not in help_text(app)
        await pilot.press("ctrl+y")
        assert "rank: 64 " in yaml(app).replace("  ", " ")


async def test_consequences_follow_the_values(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        form(app).go_to("training.batch_size", edit=True)
        await pilot.press("8", "escape")
        assert "= 32 a step" in row(app, "training.gradient_accumulation")
        form(app).go_to("lora.alpha", edit=True)
        await pilot.press("1", "6", "escape")
        assert "= 1r" in row(app, "lora.alpha")


async def test_steps_that_rest_on_uncounted_samples_are_marked_as_estimates(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        assert "~4 steps" in row(app, "training.epochs")  # 18 of 20 rows, two epochs of two steps of 16


async def test_digits_go_to_screens_again_once_the_field_is_left(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("6")
        assert app.current_mode == "recipe"
        await pilot.press("escape", "6")
        assert app.current_mode == "runs"
        assert app.session.recipe.lora.rank == 6


async def test_file_names_are_completed_from_the_workspace(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        form(app).go_to("data.train", edit=True)
        await pilot.press("t", "i")
        for _ in range(300):
            await pilot.pause(0.01)
            if form(app).check_action("complete", ()):
                break
        await pilot.press("tab", "escape")
        assert app.session.recipe.data.train == (str(workspace / "tickets.jsonl"),)
        assert "./tickets.jsonl" in row(app, "data.train")


async def test_ctrl_r_sets_the_default_and_ctrl_z_takes_changes_back_one_field_at_a_time(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("6", "4", "tab", "9", "9", "escape", "up", "ctrl+r")
        assert app.session.recipe.lora.rank == 16
        assert app.session.recipe.lora.alpha == 99
        for rank, alpha in ((64, 99), (64, 32), (16, 32)):
            await pilot.press("ctrl+z")
            assert (app.session.recipe.lora.rank, app.session.recipe.lora.alpha) == (rank, alpha)
        assert not screen(app).check_action("undo", ())


async def test_the_data_set_that_is_open_is_what_the_recipe_trains_on(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", data=(workspace / "tickets.jsonl",), format="messages")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.session.recipe.data.train == (str(workspace / "tickets.jsonl"),)
        assert app.session.recipe.data.format == "messages"
        form(app).go_to("data.train", edit=True)
        await pilot.press("x", "escape", "6", "2")
        assert app.session.recipe.data.train == (str(workspace / "x"),)  # the user's own word stays


# --- panels


async def test_memory_and_checks_say_in_words_what_is_not_known(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        assert "No model is chosen" in screen(app).query_one(MemoryBar).render().plain
        assert "STOP" in screen(app).query_one(CheckList).render().plain
        form(app).go_to("model.path", edit=True)
        form(app).retype("org/far")
        await looked(app, pilot)
        assert "not on this machine" in screen(app).query_one(MemoryBar).render().plain


async def test_memory_is_shown_part_by_part_and_marked_as_an_estimate(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "training.devices", "cpu"))
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        assert "context 0.60" in screen(app).query_one(MemoryBar).render().plain
        title = str(screen(app).query_one("#memory").border_title)
        assert "~0.6" in title
        assert "fits" in title


async def test_what_the_preflight_finds_at_a_field_is_shown_there_until_the_field_changes(
    make_app: MakeApp, workspace: Path
) -> None:
    recipe = put(sound(workspace), "data.train", (str(workspace / "gone.jsonl"),))
    app = make_app("recipe", recipe=recipe)
    async with app.run_test() as pilot:
        await looked(app, pilot)
        assert "✗ wrong" in row(app, "data.train")
        await pilot.pause()
        assert "gone.jsonl: no such file" in help_text(app)
        form(app).go_to("data.train", edit=True)
        form(app).retype("tickets.jsonl")
        await pilot.pause()
        assert "wrong" not in row(app, "data.train")


async def test_a_narrow_screen_shows_one_panel_at_a_time(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(80, 24)) as pilot:
        for face in ("help", "memory", "checks", "help"):
            shown = [name for name in ("help", "memory", "checks") if screen(app).query_one(f"#{name}").display]
            assert shown == [face]
            await pilot.press("f3")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (110, 30), (160, 45)])
async def test_nothing_is_wider_than_the_screen_and_nothing_moves_when_a_value_changes(
    make_app: MakeApp, workspace: Path, size: tuple[int, int]
) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=size) as pilot:
        await looked(app, pilot)
        regions = {widget: widget.region for widget in screen(app).query("*")}
        assert all(region.right <= size[0] for widget, region in regions.items() if widget.display)
        form(app).go_to("training.batch_size", edit=True)
        before = row(app, "training.epochs").index("2  ")
        form(app).go_to("training.batch_size", edit=True)
        await pilot.press("9", "9", "9", "escape")
        await looked(app, pilot)
        assert row(app, "training.epochs").index("2  ") == before
        panels = screen(app).query_one("#panels")
        assert panels.region == regions[panels]
        assert form(app).region == regions[form(app)]


async def test_f1_shows_all_about_the_field(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("f1")
        assert isinstance(app.screen, FieldHelp)
        text = app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        assert "range: at least 1, at most 1024" in text
        assert "default: 16" in text
        assert "2106.09685" in text
        await pilot.press("escape")
        assert isinstance(app.screen, RecipeScreen)


async def test_the_footer_shows_what_works_now(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 24)) as pilot:
        footer = app.screen.query_one(KeyBar)
        assert "enter edit" in footer.render().plain
        assert "leave field" not in footer.render().plain
        await pilot.press("enter")
        assert "enter edit" not in footer.render().plain
        assert "esc leave field" in footer.render().plain
        await pilot.press("escape")
        assert "esc keys" not in footer.render().plain
        await pilot.press("pagedown", "up", "home")
        assert "esc keys" in footer.render().plain
        assert " q quit" not in footer.render().plain
        await pilot.press("ctrl+y")
        assert "esc form" in footer.render().plain
        assert "all fields" not in footer.render().plain


async def test_help_lists_the_keys_of_the_form_as_well(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        text = app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        assert "in the form" in text
        assert "Take the next choice." in text
        assert "Start a pilot run" in text
        assert "Cancel the start while the data is read." in text


# --- presets


async def test_a_preset_sets_its_fields_and_can_be_taken_back(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("f8")
        assert isinstance(app.screen, PresetMenu)
        assert app.screen.query_one(OptionList).option_count == len(PRESETS)
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert all(get(app.session.recipe, path) == value for path, value in PRESETS[2].values.items())
        assert app.session.recipe.model.path == str(workspace / "model")
        await pilot.press("ctrl+z")
        assert app.session.recipe == sound(workspace)


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
        await pilot.press("ctrl+z", "ctrl+s", "enter")
        assert load(workspace / "other.yaml") == other
        assert load(workspace / "tickets.yaml") == sound(workspace)


async def test_a_recipe_that_cannot_be_read_is_told_with_its_line_and_nothing_is_lost(
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
        assert "cannot be written" in prompt.query_one("#prompt-words", Static).render().plain  # type: ignore[union-attr]
        assert app.session.recipe_path is None


async def test_a_wrong_value_is_not_saved_as_if_it_were_the_one_before(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("x", "escape", "home", "ctrl+s")
        assert not screen(app).query_one(RecipePrompt).display
        assert "Rank is a whole number, not 'x'" in line(app)
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
    draft.parent.mkdir()
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
        assert f"They belong to {path}" in line(again)
        assert "mine.yaml · not saved" in str(form(again).border_title)
        await pilot.press("ctrl+z")
        assert again.session.recipe == sound(workspace)
        await pilot.press("ctrl+z")
        assert again.session.recipe_path == path


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
            assert "a record" in prompt.query_one("#prompt-words", Static).render().plain  # type: ignore[union-attr]
        prompt.query_one(PathInput).value = "tickets-2.yaml"
        await pilot.press("enter")
        assert load(workspace / "tickets-2.yaml").lora.rank == 7
        assert "tickets-2.yaml" in str(form(app).border_title)
    assert record.read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == ["job.json", "recipe.yaml"]


async def test_the_yaml_view_is_the_file_that_would_be_saved(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=(240, 45)) as pilot:
        await pilot.press("ctrl+y")
        wanted = dumps(sound(workspace), file_name="tickets.yaml").splitlines()
        shown = yaml(app).splitlines()
        assert len(shown) > 30
        for n, text in enumerate(shown):
            assert wanted[n].startswith(text.rstrip("…").rstrip())
        await pilot.press("escape")
        assert form(app).has_focus


# --- the start


async def started(app: TunedeckApp, pilot: Pilot[int]) -> JobFolder:
    """The run that the app shows, once there is one."""
    for _ in range(1_000):
        await pilot.pause(0.01)
        if app.session.run is not None:
            return JobFolder(app.session.run)
    raise AssertionError(f"no run was started: {line(app)}")


@pytest.mark.parametrize(("key", "steps"), [("f5", 0), ("f6", 20)])
async def test_a_start_makes_a_run_of_the_recipe_and_goes_to_its_screen(
    make_app: MakeApp, workspace: Path, key: str, steps: int
) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    gone_to: list[str] = []
    app.switch_mode = lambda mode: gone_to.append(mode)  # type: ignore[assignment,method-assign,return-value]
    async with app.run_test() as pilot:
        await pilot.press(key)
        folder = await started(app, pilot)
        await pilot.pause()
        assert folder.path.parent == workspace / "runs"
        recipe = from_json(folder.read_job()["payload"]["recipe"])
        assert recipe.training.max_steps == steps
        assert recipe.lora.rank == 4
        assert gone_to == ["train"]
        assert app.session.recipe == sound(workspace)
    until(lambda: standing(folder).over, "the run ends")


async def test_a_start_that_is_refused_says_why_and_goes_to_the_field(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "data.train", ()))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        assert "No training data is chosen" in line(app)
        assert form(app).current.key == "data.train"
        assert not (workspace / "runs").exists()


async def test_a_start_that_the_preflight_refuses_says_why_and_goes_to_the_field(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "model.path", str(workspace / "nothing")))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        for _ in range(500):
            await pilot.pause(0.01)
            if line(app).startswith("Not started"):
                break
        assert "There is no such folder" in line(app)
        assert form(app).current.key == "model.path"
        assert screen(app).check_action("start", (False,))


async def test_a_start_can_be_cancelled_while_the_data_is_read(make_app: MakeApp, workspace: Path) -> None:
    line_of = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})
    (workspace / "tickets.jsonl").write_text((line_of + "\n") * 60_000)
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        assert not screen(app).check_action("start", (False,))
        assert screen(app).check_action("cancel", ())
        await pilot.press("f5")
        for _ in range(1_000):
            await pilot.pause(0.01)
            if screen(app).check_action("start", (False,)):
                break
        assert "cancelled" in line(app)
        assert not (workspace / "runs").exists()
        assert app.session.run is None
