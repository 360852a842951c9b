"""The recipe screen: the declaration as a form, faults in words, memory, help, at any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Static

from core.recipe.recipe import KNOBS, Recipe, is_shown, put
from core.recipe.sections.data import MixSource
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import form, help_text, line, looked, row, screen, sound, workspace, yaml
from tui.actions import title_of
from tui.app import TunedeckApp
from tui.recipe.field_help import FieldHelp
from tui.recipe.screen import RecipeScreen
from tui.widgets.check_list import CheckList
from tui.widgets.key_bar import KeyBar
from tui.widgets.memory_bar import MemoryBar

__all__ = ["workspace"]

MakeApp = Callable[..., TunedeckApp]


async def test_the_form_has_every_field_that_applies_in_the_order_of_the_declaration(make_app: MakeApp) -> None:
    app = make_app("recipe")
    applying = [path for path in KNOBS if is_shown(Recipe(), path)]
    async with app.run_test() as pilot:
        assert form(app).keys == [path for path in applying if not KNOBS[path].advanced]
        await pilot.press("f4")
        assert form(app).keys == applying


async def test_every_field_shows_its_title_and_default_and_has_help(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        for path, knob in KNOBS.items():
            if not is_shown(Recipe(), path):
                continue
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
    async with app.run_test(size=(160, 70)) as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("0")
        assert "✗ Rank must be at least 1" in row(app, "lora.rank")
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("x")
        assert "wrong  Rank must be a whole number, got 'x'." in help_text(app)
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
        assert "= 32 per step" in row(app, "training.gradient_accumulation")
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
        await until(pilot, lambda: form(app).check_action("complete", ()), "a completion")
        await pilot.press("tab", "escape")
        assert app.session.recipe.data.train == (str(workspace / "tickets.jsonl"),)
        assert "./tickets.jsonl" in row(app, "data.train")


async def test_ctrl_r_sets_the_default_and_undo_takes_changes_back_one_field_at_a_time(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        form(app).go_to("lora.rank", edit=True)
        await pilot.press("6", "4", "tab", "9", "9", "escape", "up", "ctrl+r")
        assert app.session.recipe.lora.rank == 16
        assert app.session.recipe.lora.alpha == 99
        for rank, alpha in ((64, 99), (64, 32), (16, 32)):
            await pilot.press("ctrl+underscore")
            assert (app.session.recipe.lora.rank, app.session.recipe.lora.alpha) == (rank, alpha)
        assert "Undone: Rank 64 -> 16" in line(app)
        assert not screen(app).check_action("undo", ())
        form(app).go_to("training.scheduler")
        before = app.session.recipe.training.scheduler
        await pilot.press("right")
        assert app.session.recipe.training.scheduler != before
        await pilot.press("u")
        assert app.session.recipe.training.scheduler == before, "u, where no field takes text"


async def test_the_data_set_that_is_open_is_what_the_recipe_trains_on(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", data=(workspace / "tickets.jsonl",), format="messages")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.session.recipe.data.train == (str(workspace / "tickets.jsonl"),)
        assert app.session.recipe.data.format == "messages"
        form(app).go_to("data.train", edit=True)
        await pilot.press("x", "escape", "6", "2")
        assert app.session.recipe.data.train == (str(workspace / "x"),)  # the user's own word stays


# --- what does not apply


async def test_fields_that_do_not_apply_are_not_shown_and_come_back(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        form(app).go_to("method")
        await pilot.press("right")
        await until(pilot, lambda: app.session.recipe.method == "full", "the other method")
        await pilot.pause()
        assert not [key for key in form(app).keys if key.startswith("lora.")]
        assert form(app).current.key == "method"
        await pilot.press("left")
        await until(pilot, lambda: "lora.rank" in form(app).keys, "the fields of LoRA")
        assert app.session.recipe.method == "lora"


async def test_a_field_that_was_set_and_has_no_effect_is_shown_with_the_reason_until_it_is_left_at_its_default(
    make_app: MakeApp,
) -> None:
    app = make_app("recipe", recipe=put(put(Recipe(), "method", "full"), "lora.rank", 64))
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        assert [key for key in form(app).keys if key.startswith("lora.")] == ["lora.rank"]
        assert "! Rank: no effect" in row(app, "lora.rank")
        await until(pilot, lambda: "Rank: no effect because method is full." in help_text(app), "the reason")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.session.recipe.lora.rank == 16, "the default")
        assert form(app).current.key == "lora.rank", "nothing moves under the cursor"
        await pilot.press("down")
        await until(pilot, lambda: "lora.rank" not in form(app).keys, "the form without it")


async def test_a_number_on_its_way_takes_no_fields_away(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        form(app).go_to("samples.every", edit=True)
        await pilot.press("0")
        await until(pilot, lambda: app.session.recipe.samples.every == 0, "the 0 of 0.5")
        assert "samples.number" in form(app).keys
        await pilot.press(".", "5", "down")
        await until(pilot, lambda: form(app).current.key == "samples.number", "the next field")
        form(app).go_to("samples.every", edit=True)
        await pilot.press("0", "down")
        await until(pilot, lambda: "samples.number" not in form(app).keys, "the form without answers")


async def test_a_list_of_records_is_typed_in_its_row(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        form(app).go_to("data.mix", edit=True)
        await pilot.press(*"tickets.jsonl")
        assert "must be a list of path=share" in help_text(app)
        await pilot.press(*"=0.1")
        source = MixSource(str(workspace / "tickets.jsonl"), 0.1)
        await until(pilot, lambda: app.session.recipe.data.mix == (source,), "the source")
        await pilot.press("escape")
        assert "./tickets.jsonl=0.1" in row(app, "data.mix")


# --- panels


async def test_memory_and_checks_say_in_words_what_is_not_known(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        assert "No model yet" in screen(app).query_one(MemoryBar).render().plain
        assert "STOP" in screen(app).query_one(CheckList).render().plain
        form(app).go_to("model.path", edit=True)
        form(app).retype("org/far")
        await looked(app, pilot)
        assert "not on this machine" in screen(app).query_one(MemoryBar).render().plain


async def test_memory_is_shown_part_by_part_and_marked_as_an_estimate(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "training.devices", "cpu"))
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        assert "Python and torch 0.60" in screen(app).query_one(MemoryBar).render().plain
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


async def test_a_text_that_is_no_value_counts_as_a_stop_and_the_value_before_it_is_not_judged(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "training.devices", "cpu"))
    async with app.run_test(size=(80, 24)) as pilot:
        await looked(app, pilot)
        await pilot.pause()
        assert "stop" not in line(app)
        form(app).go_to("lora.rank", edit=True)
        await pilot.press(*"9999")
        await looked(app, pilot)
        await pilot.pause()
        assert line(app).startswith("1 stop: Rank · memory: ")
        said = screen(app).query_one(CheckList).render().plain
        assert " ".join(said.split()).startswith("STOP Rank must be at least 1, at most 1024, got 9999. ")
        assert "999 " not in said
        assert app.session.recipe.lora.rank == 4
        await pilot.press("backspace")
        assert app.session.recipe.lora.rank == 999


async def test_warnings_name_their_field_in_the_line_and_in_the_panel(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "data.max_length", 100_000))
    async with app.run_test(size=(80, 24)) as pilot:
        await looked(app, pilot)
        await pilot.pause()
        assert "warnings: " in line(app)
        assert "Max length" in line(app)
        assert "F3 panel" in app.screen.query_one(KeyBar).render().plain
        said = " ".join(screen(app).query_one(CheckList).render().plain.split())
        assert "Max length: 100,000 exceeds the model's context" in said


async def test_the_form_says_how_many_samples_train_and_are_held_out(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=(160, 45)) as pilot:
        await looked(app, pilot)
        await pilot.pause()
        assert "~18 to train" in row(app, "data.train")
        assert "~2 samples" in row(app, "data.eval_fraction")


async def test_a_short_help_has_no_scrollbar(make_app: MakeApp) -> None:
    """It was measured before the panel had a width: one cell wide, it was longer than any panel."""
    app = make_app("recipe")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.screen.query_one("#help").max_scroll_y == 0


async def test_a_narrow_screen_shows_one_panel_at_a_time(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(80, 24)) as pilot:
        for face in ("help", "memory", "checks", "help"):
            shown = [name for name in ("help", "memory", "checks") if screen(app).query_one(f"#{name}").display]
            assert shown == [face]
            box = screen(app).query_one(f"#{face}")
            await until(pilot, lambda: ("more" in str(box.border_subtitle)) == (box.max_scroll_y > 0), "the key")  # noqa: B023
            await pilot.press("f3")
        help = screen(app).query_one("#help")
        assert help.max_scroll_y > 1
        await pilot.press("f3", "f3", "shift+down")
        await until(pilot, lambda: help.scroll_offset.y > 1, "a page further")


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
        assert form(app).current.key == "model.path", "the first field that is required and empty"
        assert "enter choose" in footer.render().plain
        form(app).begin("name")
        assert "enter edit" in footer.render().plain
        assert "esc done" not in footer.render().plain
        await pilot.press("enter")
        assert "enter edit" not in footer.render().plain
        assert "esc done" in footer.render().plain
        await pilot.press("escape")
        assert "esc done" not in footer.render().plain
        await pilot.press("ctrl+y")
        assert "esc form" in footer.render().plain
        assert "all fields" not in footer.render().plain


async def test_help_lists_the_keys_of_the_form_as_well(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        text = app.screen.query_one(Static).render().plain  # type: ignore[union-attr]
        assert title_of("form") in text
        assert "Previous or next choice." in text
        assert "Start a pilot run" in text
        assert text.count(" F5 ") == 1 + text.count("Press F5 again")  # a key is listed once


# --- presets
