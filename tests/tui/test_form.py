"""The form as a widget: walking, typing, choosing, folding, and rows that fit whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import Key, Paste
from textual.widgets import OptionList

from tui.widgets.choice_menu import ChoiceMenu
from tui.widgets.form import Form
from tui.widgets.form_field import Fault, FieldState, FormField, RowStyle, Section, draw_heading, draw_row, drawing
from tui.widgets.line_editor import LineEditor

SECTIONS = (
    Section("cargo", (FormField("name", "Name", "long"), FormField("mass", "Mass", "short", unit="kg"))),
    Section(
        "route",
        (
            FormField("mode", "Mode", "choice", ("road", "rail", "river")),
            FormField("fragile", "Fragile", "choice", ("yes", "no"), folded=True),
            FormField("stops", "Stops", "long", complete=True),
            FormField("speed", "Speed", "short", folded=True),
        ),
    ),
)
START = {"name": "pipes", "mass": "12", "mode": "road", "fragile": "no", "stops": "", "speed": "80"}


class Depot(App[None]):
    """An owner that takes every text as it is."""

    BINDINGS = [Binding("3", "note('three')"), Binding("q", "note('q')")]

    def __init__(self) -> None:
        super().__init__()
        self.values = dict(START)
        self.noted: list[str] = []
        self.faults: dict[str, Fault] = {}

    def compose(self) -> ComposeResult:
        yield Form(SECTIONS)

    def on_mount(self) -> None:
        self.show()
        self.form.focus()

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    def show(self) -> None:
        self.form.fill(
            {
                key: FieldState(text, text != START[key], f"<{text}>", self.faults.get(key))
                for key, text in self.values.items()
            }
        )

    @on(Form.Changed)
    def changed(self, event: Form.Changed) -> None:
        self.values[event.key] = event.text
        self.show()

    def action_note(self, what: str) -> None:
        self.noted.append(what)


class Opened(Depot):
    """Goes to a field before the first layout, as a screen does that opens at what is missing."""

    def on_mount(self) -> None:
        super().on_mount()
        self.form.go_to("mass")


async def test_a_form_that_opens_at_a_field_shows_its_first_lines_where_both_fit() -> None:
    async with Opened().run_test(size=(80, 5)) as pilot:
        await pilot.pause()
        form = pilot.app.query_one(Form)
        assert form.current.key == "mass"
        assert form.scroll_offset.y == 0
    async with Opened().run_test(size=(80, 2)) as pilot:
        await pilot.pause()
        assert pilot.app.query_one(Form).scroll_offset.y > 0, "the cursor is in view all the same"


def row(app: Depot, title: str) -> str:
    """The line of the form that begins with a title, the cursor's mark aside."""
    lines = [app.form.render_line(y).text for y in range(app.form.size.height)]
    return next(line for line in lines if line[2:].startswith(title))


async def test_what_is_typed_replaces_the_value_and_a_cursor_key_keeps_it() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("down", "enter", "4", "0")
        assert app.values["mass"] == "40"
        await pilot.press("escape", "enter", "end", "5")
        assert app.values["mass"] == "405"
        assert "[405" in row(app, "Mass")


async def test_digits_and_letters_are_keys_of_the_app_only_while_no_field_has_the_focus() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("3", "down", "enter", "3", "q")
        assert app.noted == ["three"]
        assert app.values["mass"] == "3q"
        assert "3" not in app.screen.active_bindings
        await pilot.press("escape", "3")
        assert app.noted == ["three", "three"]
        assert "3" in app.screen.active_bindings


async def test_a_choice_takes_no_digit_for_a_key_of_the_app_while_fields_are_walked_through_typing() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("down", "enter", "tab")
        assert app.form.current.key == "mode"
        await pilot.press("3")
        assert app.noted == []
        assert app.values["mode"] == "road"


async def test_no_letter_or_digit_begins_to_edit_and_the_shared_keys_move() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        seen = []
        for key in ("j", "j", "k", "G", "g"):
            await pilot.press(key)
            seen.append(app.form.current.key)
        assert seen == ["mass", "mode", "mass", "stops", "name"]
        for key in ("g", "x", "Z", "3", "space", "slash"):
            await pilot.press(key)
        await pilot.press("down", "3", "4")
        assert app.noted == ["three", "three"]
        assert (app.values, app.form.typing) == (START, False)
        await pilot.press("enter", "g")
        assert (app.values["mass"], app.form.typing) == ("g", True)


async def test_the_arrows_end_the_editing_and_tab_takes_it_along() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("enter", "a", "tab", "7", "tab", "r", "tab", "b", "up", "x", "up", "x")
        assert app.values == {**START, "name": "a", "mass": "7", "stops": "b"}
        assert not app.form.typing


async def test_the_row_that_is_edited_looks_different_without_color() -> None:
    app = Depot()
    async with app.run_test() as pilot:

        def drawn() -> str:
            return next(text for y in range(9) if "Mass" in (text := app.form.render_line(y).text)).split(" kg")[0]

        await pilot.press("down")
        assert drawn()[0] == "▸"
        assert "[" not in drawn()
        await pilot.press("enter")
        assert (drawn()[0], drawn()[-1]) == ("»", "]")


async def test_a_value_that_differs_from_its_default_has_a_mark() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        assert "•" not in row(app, "Mass")
        await pilot.press("down", "enter", "4", "escape")
        assert "• 4" in row(app, "Mass")
        assert "•" not in row(app, "Mode")


async def test_enter_lists_the_choices_and_changes_nothing_until_one_is_chosen() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("down", "down", "enter")
        assert isinstance(app.screen, ChoiceMenu)
        await pilot.press("down", "escape")
        assert app.values["mode"] == "road"
        await pilot.press("enter")
        assert app.screen.query_one(OptionList).highlighted == 0
        await pilot.press("down")
        app.screen.query_one(OptionList).action_select()
        await pilot.pause()
        assert app.values["mode"] == "rail"
        assert app.form.has_focus


async def test_tab_goes_around_and_up_and_down_hold_at_the_ends() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        seen = []
        for _ in range(5):
            seen.append(app.form.current.key)
            await pilot.press("tab")
        assert seen == ["name", "mass", "mode", "stops", "name"]
        await pilot.press("up", "up", "up")
        assert app.form.current.key == "name"
        await pilot.press("shift+tab", "down")
        assert app.form.current.key == "stops"


async def test_choices_are_cycled_both_ways_and_take_no_letter() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("down", "down", "right")
        assert app.values["mode"] == "rail"
        await pilot.press("left", "left")
        assert app.values["mode"] == "river"
        assert "‹river›" in row(app, "Mode")
        await pilot.press("space")
        assert app.values["mode"] == "road"
        await pilot.press("up", "enter", "tab", "r", "r")
        assert app.values["mode"] == "road"


async def test_a_burst_of_keys_loses_no_choice() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        await pilot.press("down", "down")
        for _ in range(4):  # one more than a full round, before the owner has answered the first
            app.form.action_cycle(1)
            app.show()
        await pilot.pause()
        assert app.values["mode"] == "rail"
        assert "rail" in row(app, "Mode")


async def test_keys_that_come_in_a_burst_are_taken_in_their_order() -> None:
    """Keys typed ahead over a slow line once reached a field before the arrows that were pressed first."""
    app = Depot()
    async with app.run_test() as pilot:
        for key, character in (
            ("down", None),
            ("enter", "\r"),
            ("7", "7"),
            ("tab", "\t"),
            ("right", None),
            ("tab", "\t"),
            ("x", "x"),
        ):
            app.post_message(Key(key, character))
        await pilot.pause()
        assert app.values == {**START, "mass": "7", "mode": "rail", "stops": "x"}


async def test_folded_fields_show_on_demand_or_once_they_are_set_or_wrong() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        assert app.form.keys == ["name", "mass", "mode", "stops"]
        assert "2 more" in app.form.render_line(3).text
        app.form.show_folded = True
        assert app.form.keys == list(START)
        app.form.show_folded = False
        app.values["speed"] = "90"
        app.faults["fragile"] = Fault("error", "Fragile is wrong.")
        app.show()
        assert app.form.keys == list(START)
        await pilot.pause()
        assert "✗ Fragile is wrong." in row(app, "Fragile")


async def test_going_to_a_folded_field_unfolds_it() -> None:
    app = Depot()
    async with app.run_test():
        app.form.go_to("speed", edit=True)
        assert app.form.current.key == "speed"
        assert app.form.typing


async def test_a_suggestion_is_taken_with_tab_and_never_for_another_text() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        app.form.go_to("stops", edit=True)
        await pilot.press("a", "b")
        app.form.suggest("stops", "a", "-old")
        assert "old" not in row(app, "Stops")
        app.form.suggest("stops", "ab", "cd/")
        assert "[abcd/" in row(app, "Stops")
        assert app.values["stops"] == "ab"
        await pilot.press("tab")
        assert app.values["stops"] == "abcd/"
        await pilot.press("tab")
        assert app.form.current.key == "name"


async def test_pasted_lines_become_one_line_without_control_characters() -> None:
    app = Depot()
    async with app.run_test() as pilot:
        app.form.post_message(Paste("a\x1b[2Jb\nc"))
        await pilot.pause()
        assert app.values["name"] == "a[2Jb c"


async def test_a_hostile_value_is_drawn_with_glyphs() -> None:
    app = Depot()
    async with app.run_test():
        app.values["stops"] = "x\x1b]52;c;AA\x07\u202e"
        app.show()
        text = row(app, "Stops")
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text


async def test_a_wrong_value_is_told_by_shape_and_word_beside_it() -> None:
    app = Depot()
    async with app.run_test():
        app.faults = {"mass": Fault("error", "Mass is a number."), "stops": Fault("error", "No stop is named.")}
        app.show()
        assert "✗ Mass is a number." in row(app, "Mass")
        assert "✗ No stop is named." in row(app, "Stops")
        app.form.go_to("stops")
        assert "✗ missing" in row(app, "Stops")


def test_a_fault_without_room_for_its_sentence_says_in_brief_what_is_wrong() -> None:
    fault = Fault("warn", "100,000 exceeds the model's context of 8,192 tokens.", "exceeds context")

    def drawn(field: FormField, width: int) -> str:
        columns = drawing(SECTIONS, width)
        return "".join(text for text, _ in draw_row(field, FieldState("100000", fault=fault), columns, RowStyle()))

    name, mass = SECTIONS[0].fields
    assert "! exceeds context" in drawn(mass, 46)
    assert "! exceeds context" in drawn(name, 60)
    assert "! check" in drawn(name, 36)


async def test_the_cursor_stays_in_view_with_its_heading() -> None:
    app = Depot()
    async with app.run_test(size=(60, 4)) as pilot:
        await pilot.press("end")
        assert "Stops" in row(app, "Stops")
        await pilot.press("home")
        assert app.form.scroll_offset.y == 0
        assert app.form.render_line(0).text.startswith("── cargo")


TEXT = st.text(alphabet=st.sampled_from("ab ,/漢字é\u0301\x1b\t🙂…"), max_size=60)


@given(TEXT, TEXT, st.integers(30, 120), st.booleans(), st.sampled_from([None, "error", "warn"]))
def test_a_row_is_as_wide_as_the_form_whatever_it_holds(
    text: str, hint: str, width: int, current: bool, severity: str | None
) -> None:
    columns = drawing(SECTIONS, width)
    fault = Fault(severity, "A sentence of some length that says what is wrong.") if severity else None  # type: ignore[arg-type]
    editor = LineEditor()
    editor.begin(text)
    for section in SECTIONS:
        assert sum(cell_len(part) for part, _ in draw_heading(section.title, "3 more", columns)) == width
        for field in section.fields:
            for pen in (
                RowStyle(current),
                RowStyle(True, editor if field.kind != "choice" else None, "suggested"),
            ):
                spans = draw_row(field, FieldState(text, True, hint.replace("\x1b", ""), fault), columns, pen)
                assert sum(cell_len(part) for part, _ in spans) <= width


@pytest.mark.parametrize("text", ["short", "a path/that is/longer than its/field by far.jsonl", "漢字漢字漢字漢字漢字"])
@pytest.mark.parametrize("at", [0, 3, 10, 99])
def test_the_window_of_a_line_always_holds_the_cursor(text: str, at: int) -> None:
    editor = LineEditor()
    editor.begin(text)
    editor.key("home", None)
    for _ in range(min(at, len(text))):
        editor.key("right", None)
    window = editor.window(12)
    assert cell_len(window.before + (window.at or " ") + window.after) <= 13
    expected = text[editor.cursor : editor.cursor + 1]
    assert window.at == expected
    assert (window.before + window.at + window.after) in text


def test_words_are_parted_at_folders_and_entries() -> None:
    editor = LineEditor()
    editor.begin("runs/one, two")
    editor.key("ctrl+w", None)
    assert editor.text == ""
    editor.begin("runs/one, two", select=False)
    for expected in ("runs/one, ", "runs/", ""):
        editor.key("ctrl+w", None)
        assert editor.text == expected
    editor.begin("runs/one, two", select=False)
    editor.key("ctrl+left", None)
    editor.key("ctrl+k", None)
    assert editor.text == "runs/one, "


def test_a_hint_without_room_ends_at_a_clause_and_is_never_the_value_again() -> None:
    spec = FormField("kind", "Kind", "choice", ("ia3", "lora"))
    state = FieldState("ia3", hint="IA3: one factor for each key, value and feature; tiny")
    shown = [
        "".join(text for text, _ in draw_row(spec, state, drawing((Section("a", (spec,)),), width), RowStyle()))
        for width in (90, 60, 40)
    ]
    assert shown[0].rstrip().endswith("tiny")
    assert shown[1].rstrip().endswith("IA3: one factor for each key")
    assert "IA3" not in shown[2]
