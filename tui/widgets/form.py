"""A form for the keyboard: one widget that draws every row itself and edits one of them at a time.

Dozens of mounted inputs cost more than the rest of the app; here a row is a line of text, and a key repaints one.
The form knows nothing of what is filled in: it says what was typed and is told what to show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest

from textual import events
from textual.message import Message

from tui.actions import Command, declare
from tui.terminal.own_keys import commands_on, obey
from tui.widgets.choice_menu import ChoiceMenu
from tui.widgets.form_field import FormField
from tui.widgets.form_view import FormView


class Form(FormView, can_focus=True):
    """Fields in sections, a cursor on one of them, and at most one being typed.

    Enter begins to edit a text or number, and lists the choices of the others; only then do printable keys belong to
    the field. Tab takes the editing along to the next field, the arrows end it.
    """

    BINDINGS = declare(
        "form",
        Command("form.edit", "enter", "edit", "edit", "Edit this field; typing replaces its value.", 1),
        Command("form.list_values", "enter", "offer", "choose", "List the values to choose from.", 1),
        Command("form.next_choice", "space,right", "cycle(1)", "change", "Previous or next choice.", 1, "←→"),
        Command("form.previous_choice", "left", "cycle(-1)", "", "Previous choice.", aside=True),
        Command("form.complete", "right,tab", "complete", "complete", "Accept the suggested file name.", 1, "→"),
        Command(
            "form.stop_editing", "escape,enter", "leave", "done", "Stop editing; letters are keys again.", 2, "esc"
        ),
        Command("form.up", "up,k", "move(-1)", "", "Go to the previous field.", 0, "↑", shared="up"),
        Command("form.down", "down,j", "move(1)", "", "Go to the next field.", 0, "↓", shared="down"),
        Command("form.next_field", "tab", "move(1, True)", "", "Go to the next field, from the last to the first."),
        Command("form.previous_field", "shift+tab", "move(-1, True)", "", "Go to the previous field."),
        Command("form.page_up", "pageup", "page(-1)", "", "Go one page up."),
        Command("form.page_down", "pagedown", "page(1)", "", "Go one page down."),
        Command("form.first_field", "home,ctrl+home,g", "move(-1000)", "", "Go to the first field.", shared="first"),
        Command("form.last_field", "end,ctrl+end,G", "move(1000)", "", "Go to the last field.", shared="last"),
    )

    class Changed(Message):
        """The text of a field is another."""

        def __init__(self, key: str, text: str) -> None:
            self.key = key
            self.text = text
            super().__init__()

    class Moved(Message):
        """The cursor is on another field, or has entered or left the one it is on."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    class Completing(Message):
        """A file name is being typed; answer with `Form.suggest`."""

        def __init__(self, key: str, text: str) -> None:
            self.key = key
            self.text = text
            super().__init__()

    offer: Callable[[str], None] | None = None
    """Shows the values that a field which is no choice offers, at once, so that keys typed fast reach the list.

    Set by the owner.
    """

    @property
    def _offering(self) -> bool:
        return self.current.kind == "choice" or (self.current.offers and self.offer is not None)

    # --- what the owner says

    def suggest(self, key: str, text: str, rest: str) -> None:
        """Show a completion for the text, unless the text has changed. The right arrow accepts it."""
        if self.typing and key == self.current.key and text == self._editor.text and rest != self._suggestion:
            self._suggestion = rest
            self.refresh_line(self._shown.at)
            self.refresh_bindings()

    def go_to(self, key: str, *, edit: bool = False) -> None:
        """Put the cursor on a field, unfolding it if need be."""
        if key not in self._states:
            return
        if key not in self._shown.places:
            self._shown.reveal({key})
            self._arrange(self.current.key)
        self._settle()
        self._place(self._shown.places[key])
        if edit:
            self.action_edit()

    def put_down(self) -> None:
        """Nothing is being typed any more: printable keys belong to the screen."""
        self.action_leave()

    def begin(self, key: str = "") -> None:
        """Go to a field, by default the first one, of something else that is filled in; nothing is being typed."""
        self.put_down()
        if key:
            self.go_to(key)
        else:
            self._place(self._shown.places[self.keys[0]])

    def retype(self, text: str) -> None:
        """Give the current field another text, as if it had been typed."""
        if self.typing and self.current.kind != "choice":
            self._editor.begin(text)
            self._after_typing()
        elif text != self._states[self.current.key].text:
            self.post_message(self.Changed(self.current.key, text))

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Typing and cycling exclude each other."""
        choice = self.current.kind == "choice"
        if action == "cycle":
            return choice
        if action == "edit":
            return not self.typing and not self._offering
        if action == "offer":
            return self._offering and not self.typing
        if action == "leave":
            return self.typing
        if action == "complete":
            return bool(self._suggestion) and self._editor.cursor == len(self._editor.text)
        return True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """While a field is being edited, every printable key is its own."""
        return self.typing and character is not None and character.isprintable() and key != "space"

    async def on_key(self, event: events.Key) -> None:
        """Do what the key does, at once: a binding's way leads around other queues, and keys of a burst overtake it."""
        if self.app.screen is not self.screen:  # the key before this one opened a list over the form
            event.stop()
            event.prevent_default()
            await self.app.on_event(_typed_again(event))
            return
        typing, choice = self.typing, self.current.kind == "choice"
        completing = "form.complete" in commands_on(self, event.key) and self.check_action("complete", ())
        if typing and choice and event.is_printable and event.key != "space":
            pass  # editing continues in the next field; a choice takes no text
        elif typing and not choice and not completing and self._editor.key(event.key, event.character):
            self._after_typing()
        elif not await obey(self, event.key):
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Take pasted text into the field."""
        if self.current.kind == "choice":
            return
        if not self.typing:
            self.action_edit()
        self._editor.insert(event.text)
        self._after_typing()
        event.stop()

    def on_click(self, event: events.Click) -> None:
        """A click goes to a field; a second one edits or changes it."""
        y = event.y + self.scroll_offset.y
        if y >= len(self._shown.lines) or not isinstance(self._shown.lines[y], FormField):
            return
        if y != self._shown.at:
            self.action_leave()
            self._place(y)
        elif self._offering and not self.typing:
            self.action_offer()
        elif not self.typing:
            self.action_edit()

    def on_blur(self) -> None:
        """Another widget has the focus: nothing is being typed here."""
        self.put_down()

    def action_edit(self) -> None:
        """Begin to type into the field."""
        if not self.has_focus:
            self.focus()
        self.typing = True
        self._begin()

    def action_offer(self) -> None:
        """List the values that this field offers."""
        spec = self.current
        self.put_down()
        if spec.kind == "choice":
            text = self._states[spec.key].text
            self.app.push_screen(
                ChoiceMenu(
                    spec.title,
                    list(zip_longest(spec.choices, spec.meanings[: len(spec.choices)], fillvalue="")),
                    chosen=spec.choices.index(text) if text in spec.choices else 0,
                ),
                lambda at: None if at is None else self._chosen(spec, at),
            )
        elif self.offer is not None:
            self.offer(spec.key)

    def action_leave(self) -> None:
        """Stop typing; what was typed stays."""
        if self.typing:
            self._settle()
            self.typing = False
            self.refresh_line(self._shown.at)
            self.moved()

    def action_complete(self) -> None:
        """Take the suggestion that is shown."""
        self._editor.insert(self._suggestion)
        self._after_typing()

    def action_move(self, by: int, around: bool = False) -> None:
        """Move by some fields; on the way around, editing continues in the new field."""
        if not around:
            self.action_leave()
        self._settle()
        self._place(self._shown.step(by, around=around))

    def action_page(self, direction: int) -> None:
        """Go a page on, less a row for the eye to hold on to."""
        self.action_move(direction * max(1, self.scrollable_content_region.height - 2))

    def action_cycle(self, by: int) -> None:
        """Take another choice."""
        choices = self.current.choices
        text = self._states[self.current.key].text
        at = choices.index(text) if text in choices else -by
        self._choose(choices[(at + by) % len(choices)])

    def _chosen(self, spec: FormField, at: int) -> None:
        """Take what was chosen in the list of a field, where it is still shown."""
        self.go_to(spec.key)
        if self.current.key == spec.key:
            self._choose(spec.choices[at])

    def _choose(self, choice: str) -> None:
        self._states[self.current.key] = replace(self._states[self.current.key], text=choice)
        self._unconfirmed[self.current.key] = choice
        self.refresh_line(self._shown.at)
        self.post_message(self.Changed(self.current.key, choice))

    def _begin(self) -> None:
        """Hand the text of the current field to the editor."""
        if self.current.kind != "choice":
            self._editor.begin(self._states[self.current.key].text)
        self.refresh_line(self._shown.at)
        self.moved()

    def _after_typing(self) -> None:
        spec = self.current
        state = self._states[spec.key]
        self._drop_suggestion()
        self.refresh_line(self._shown.at)
        if state.text != self._editor.text:
            self._states[spec.key] = replace(state, text=self._editor.text)
            self.post_message(self.Changed(spec.key, self._editor.text))
        if spec.complete:
            self.post_message(self.Completing(spec.key, self._editor.text))

    def _settle(self) -> None:
        """The field is left: its owner may now write the value as it is usually written."""
        self._drop_suggestion()
        self._editor.begin("")

    def _drop_suggestion(self) -> None:
        if self._suggestion:
            self._suggestion = ""
            self.refresh_bindings()

    def _place(self, y: int) -> None:
        if y != self._shown.at:
            self.refresh_line(self._shown.at)
            self._shown.at = y
        self.refresh_bindings()
        self._into_view()
        if self.typing:
            self._begin()
        else:
            self.refresh_line(y)
            self.moved()

    def moved(self) -> None:
        """Tell the owner where the cursor is."""
        self.post_message(self.Moved(self.current.key))


def _typed_again(event: events.Key) -> events.Key:
    """The same key, not yet sent to any widget; typed when it was typed."""
    key = events.Key(event.key, event.character)
    key.time = event.time
    return key
