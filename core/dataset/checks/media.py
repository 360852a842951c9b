"""Images, audio, video and files: a text model is trained on text alone, so what they show is lost."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item


class Media(Check):
    """A row with images, audio, video or files."""

    name = "media"
    title = "images or other media"
    help = (
        "The row has images, audio, video or files. Only text is trained on, so the model would learn to answer about "
        "things it cannot see. A run does not start with such rows."
    )
    example = '`{"image": "a.png", "prompt": "What is on it?", "completion": "A cat."}`'
    advice = (
        "Drop the row (add `media` to `data.drop_flags`), or train on its text only with `data.train_without=media`."
    )
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Names the kinds and the first turn that has some."""
        marked = [(number, turn.media) for number, turn in enumerate(item.turns, 1) if turn.media]
        if not marked:
            return None
        first, kinds = marked[0][0], dict.fromkeys(kind for _, media in marked for kind in media)
        return self.flag(f"{', '.join(kinds)} in turn {first}, which is not trained on")
