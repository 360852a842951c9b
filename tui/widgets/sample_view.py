"""One sample in several renderings under one border, with what is to be known about it below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from tui.widgets.text_view import TextLine, TextView
from tui.widgets.titled_pane import TitledPane

_VIEW = "view"
"""Key of the name of a rendering in the style of its word in the title."""

Lines = Callable[[], Iterable[TextLine]]


OWN_WORDS = frozenset(("note", "edited", "rating", "labels", "reviewed"))
"""What the user has done with a sample: no warning."""


class SampleView(TitledPane):
    """A pane that shows a sample; which rendering of it, the caller chooses.

    The border's title names the sample and the renderings, the present one in capitals, and a click on one shows it;
    the subtitle says a number or two. Notes stand below the text, each with a word and a sentence.
    """

    class ViewClicked(Message):
        """The name of another rendering was clicked: it is the present one now, and the caller shows it."""

    DEFAULT_CSS = """
    SampleView {
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        padding: 0 0 0 1;
    }
    SampleView:focus-within { border: round $primary; border-title-color: $foreground; }
    SampleView > TextView { height: 1fr; }
    SampleView > #notes { height: auto; max-height: 50%; }
    """

    def __init__(self, views: Sequence[str], *, id: str | None = None, classes: str | None = None) -> None:
        """Make the pane.

        Args:
            views: names of the renderings, in the order in which the key goes through them.
            id: the widget's id.
            classes: CSS classes.
        """
        super().__init__(id=id, classes=classes)
        self._views = list(views)
        self._subject = Content("")
        self._choice = True
        self._notes: list[tuple[str, str]] | None = None
        self._lines: Lines = tuple
        self.view = self._views[0]
        """The rendering that is shown."""

    def compose(self) -> ComposeResult:
        """The text, and the notes below it."""
        yield TextView(id="text")
        yield Static("", id="notes", markup=False)

    @property
    def text(self) -> TextView:
        """The scrollable text."""
        return self.query_one("#text", TextView)

    def lines(self) -> Iterable[TextLine]:
        """The text that is shown, whole."""
        return self._lines()

    def next_view(self) -> str:
        """Go to the next rendering and name it; the caller then shows it."""
        self.view = self._views[(self._views.index(self.view) + 1) % len(self._views)]
        self._set_title()
        return self.view

    def on_click(self, event: Click) -> None:
        """A click on the name of a rendering in the title."""
        view = event.style.meta.get(_VIEW)
        if view in self._views and view != self.view:
            event.stop()
            self.view = view
            self._set_title()
            self.post_message(self.ViewClicked())

    def show(
        self,
        subject: Content,
        lines: Lines,
        *,
        subtitle: str = "",
        notes: Sequence[tuple[str, str]] = (),
        keep_place: bool = False,
        choice: bool = True,
    ) -> None:
        """Show a sample.

        Args:
            subject: what it is, for the title.
            lines: its text in the present rendering.
            subtitle: for the lower border; clean.
            notes: a word and a sentence each; clean.
            keep_place: stay where the reader is, for a change to the sample that is already shown.
            choice: name the renderings in the title; False for a text that has one only.
        """
        self._subject = subject
        self._choice = choice
        self._set_title()
        self.resubtitle(Content(subtitle))
        self.show_notes(notes)
        self._lines = lines
        self.text.show(lines, keep_place=keep_place)

    def show_notes(self, notes: Sequence[tuple[str, str]]) -> None:
        """Change the notes alone."""
        if list(notes) == self._notes:
            return  # an update causes a new layout
        self._notes = list(notes)
        parts: list[tuple[str, str]] = []
        for word, sentence in notes:
            sign = "  " if word in OWN_WORDS else "▲ "
            parts += [("\n" if parts else "", ""), (sign, "$text-warning"), (word, "bold"), (f"  {sentence}", "")]
        widget = self.query_one("#notes", Static)
        widget.display = bool(parts)
        widget.update(Content.assemble(*parts))

    def _set_title(self) -> None:
        parts: list[Content | tuple[str, str | Style]] = [self._subject, ("  ", "")]
        for view in self._views if self._choice else ():
            here = view == self.view
            style = Style(reverse=here or None, bold=here or None) + Style.from_meta({_VIEW: view})
            parts.append((f" {view.upper() if here else view} ", style))
        self.retitle(Content.assemble(*parts))
