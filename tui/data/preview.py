"""The template view: what the model will see of a row, with the loss mask of the real collator.

The answers come from a warm child that loads the training libraries (some ten seconds); it is started at the first
look at this view, never before.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean, clean_line
from core.errors import TunedeckError
from core.units import count
from tui.widgets.span_lines import Marking, span_lines
from tui.widgets.text_view import TextLine, plain

if TYPE_CHECKING:
    from core.jobs.service import Service
    from core.recipe.recipe import Recipe

_REMEMBERED = 64

NEEDS_TRAIN = "needs the train extra: pip install 'tunedeck[train]'"
"""Ends a sentence about what needs the training packages."""

_TRAINED = Marking("trained", bar="▌", line_end="⏎", next_style="trained-next")
_MASKED = Marking("masked", line_end="⏎", next_style="masked-next")
_LOST = Marking("lost")


@dataclass(frozen=True, slots=True)
class TemplateText:
    """What the template view shows.

    Attributes:
        lines: makes the text.
        subtitle: the count of trained tokens, or "".
    """

    lines: Callable[[], Iterable[TextLine]]
    subtitle: str = ""


@dataclass
class TemplatePreview:
    """Asks the preview service for rows and remembers its answers.

    Attributes:
        changed: called, in any thread, when an answer has come or the service is ready.
    """

    changed: Callable[[], object]
    _service: Service | None = None
    _answers: OrderedDict[tuple[int, str], dict[str, Any] | str] = field(default_factory=OrderedDict)
    _asked: tuple[int, str] | None = None
    _future: Future[Any] | None = None

    def text(self, entry: int, sample: dict[str, Any] | None, recipe: Callable[[], Recipe], base: Path) -> TemplateText:
        """The view of one row: the answer if it is there, else what it waits for, in words.

        Args:
            entry: which row it is.
            sample: the row in the normal form, or None for an unreadable row.
            recipe: whose model, template, length and loss count.
            base: the folder that paths in the recipe are taken from.
        """
        if sample is None:
            return _words("This row is unreadable, so it is not trained on.")
        try:
            draft = recipe()
        except TunedeckError as error:
            return _words(f"Cannot read the recipe. {clean(str(error))}")
        if not draft.model.path:
            return _words(
                "No model selected yet, and the chat template comes with the model.",
                "Press 2 and fill in Model. This view then shows the rendered template and which tokens are trained.",
            )
        if missing := missing_package():
            return _words(
                f"This needs the training packages ({missing} is not installed).",
                f"This view {NEEDS_TRAIN}. The chat view and the flags work without them.",
            )
        question, name = _question(draft, base)
        key = (entry, name)
        if key not in self._answers:
            self._ask(key, question, sample)
            return self._waiting()
        answer = self._answers[key]
        if isinstance(answer, str):
            return _words(clean(answer))
        return TemplateText(lambda: _lines(answer), _subtitle(answer))

    def close(self) -> None:
        """End the service."""
        if self._service is not None:
            self._service.close()

    def forget(self) -> None:
        """Forget all answers: other rows are shown now."""
        self._answers.clear()
        self._asked = None

    def _ask(self, key: tuple[int, str], question: dict[str, Any], sample: dict[str, Any]) -> None:
        if self._asked == key:
            return
        if self._future is not None:
            self._future.cancel()
        self._asked = key
        self._future = self._started().submit("encode", recipe=question, sample=sample)
        self._future.add_done_callback(lambda future: self._take(key, future))

    def _take(self, key: tuple[int, str], future: Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        self._answers[key] = future.result() if error is None else str(error)
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        self.changed()

    def _started(self) -> Service:
        if self._service is None:
            from core.jobs.launch import worker_python
            from core.jobs.service import Service

            argv = [worker_python(), "-m", "core.training.preview"]
            self._service = Service(argv, on_ready=self._ready)
        return self._service

    def _ready(self) -> None:
        self.changed()

    def _waiting(self) -> TemplateText:
        if self._service is not None and self._service.ready:
            return _words("Tokenizing …")
        return _words(
            "Loading the training libraries in the background, about ten seconds the first time.",
            "The other views and all keys work meanwhile.",
        )


def missing_package() -> str:
    """A training package that this installation lacks, or "".

    Where another interpreter trains (`TUNEDECK_PYTHON`), its packages count; the service reports missing ones.
    """
    from importlib.util import find_spec

    if os.environ.get("TUNEDECK_PYTHON"):
        return ""
    return next((name for name in ("torch", "transformers", "trl") if find_spec(name) is None), "")


def _question(recipe: Recipe, base: Path) -> tuple[dict[str, Any], str]:
    """The recipe as JSON, and a text that is equal for recipes that make the same tokens."""
    from core.recipe.paths import absolute
    from core.recipe.recipe import to_json

    whole = to_json(absolute(recipe, base))
    return whole, repr((whole["task"], whole["model"], whole["data"]))


def _words(*sentences: str) -> TemplateText:
    return TemplateText(lambda: [plain(sentence) for sentence in sentences])


def _subtitle(answer: dict[str, Any]) -> str:
    words = f"{count(answer['trained'])} of {count(answer['tokens'])} tokens trained"
    return words + (f" · {count(answer['lost'])} cut off" if answer["lost"] else "")


def _lines(answer: dict[str, Any]) -> Iterator[TextLine]:
    origin = clean_line(str(answer["template"]), 200)
    legend = (("▌", "bar"), (" trained", "trained"), ("   masked: read, not trained   ", "masked"))
    # Drawn as tokens are: each apart from the one before it.
    yield TextLine((*legend, ("token", "masked-next"), (" by", "masked"), (" token", "masked-next")))
    yield plain(f"template: {origin}", "muted")
    if not answer["stop_trained"]:
        yield plain("▲ the end of the answer is not trained: the model may never learn to stop", "warning")
    if lost := answer.get("not_rendered"):
        yield plain(f"▲ not rendered by the template, so not trained: {clean_line(lost, 300)}", "warning")
    if lost := answer.get("context_lost"):
        yield plain(f"▲ not rendered, context only: {clean_line(lost, 300)}", "warning")
    if tokens := answer.get("control_tokens"):
        yield plain(
            f"▲ special tokens in the text act as control tokens: {clean_line(', '.join(tokens), 200)}", "warning"
        )
    if answer.get("generated"):
        yield plain("The model answers this prompt during training, and the rewards score its answers.", "muted")
    elif not answer["trained"]:
        yield plain("▲ no token of this row is trained: it teaches the model nothing", "warning")
    if answer.get("can_chunk"):
        used = f"uses the first {count(answer['tokens'])} of {count(answer['total'])} tokens"
        yield plain(f"▲ {used}. To train on all of them, set Chunk long text (data.chunk_text) on Recipe", "warning")
    yield plain("")
    for part in answer["parts"]:
        if heading := part.get("heading") or (part["name"] if part["name"].startswith("chunk ") else ""):
            yield plain(f"── {heading} ──", "muted")
        if part.get("lost") and part.get("lost_first"):
            yield from _lost_lines(part, " at the start")
        yield from span_lines((text, _TRAINED if trained else _MASKED) for text, trained in part["pieces"])
        if part.get("lost") and not part.get("lost_first"):
            yield from _lost_lines(part, "")


def _lost_lines(part: dict[str, Any], where: str) -> Iterator[TextLine]:
    """What the max length takes away, where it was."""
    lost = f"{count(part['lost'])} tokens cut off{where}, {count(part['lost_trained'])} of them trained"
    yield plain(f"── max length {count(part['kept'])} reached: {lost} ──", "warning")
    yield from span_lines([(part["lost_text"], _LOST)])
