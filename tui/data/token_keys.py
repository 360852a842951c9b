"""The key that has tokens counted, and what is heard of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.clean import clean
from core.errors import TunedeckError
from tui.data.row_keys import RowKeys

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe
    from tui.data.tokens import TokenNews


class TokenKeys(RowKeys):
    """What the data screen knows of tokens, and how it asks for them."""

    def action_tokens(self) -> None:
        """Count the tokens of every row under the recipe; while they are counted, stop."""
        from tui.data.preview import NEEDS_TRAIN, missing_package

        assert self._desk is not None
        if self._desk.rows.tokens.counting:
            self._desk.tokens(self.session.workspace).stop_counting()
            return
        recipe = self._recipe()
        if recipe is None:
            return
        if not recipe.model.path:
            self._say("No model is chosen, and tokens are the model's own: press 2 and fill it in, then t here.")
        elif self._counted():
            self._say("The tokens of every row are counted under this recipe.")
        elif missing_package():
            self._say(f"Counting tokens {NEEDS_TRAIN}")
        else:
            self._say("counting tokens: the tokenizer is being loaded, some ten seconds; t again stops it")
            self._desk.tokens(self.session.workspace).count(recipe)

    def _counted(self) -> bool:
        """Whether the tokens of every row are known as it stands now, edits included."""
        from tui.data.tokens import outdated

        assert self._desk is not None
        rows, tokens = self._desk.rows, self._desk.rows.tokens
        if tokens.facts is None or tokens.standing != "known" or not tokens.facts.complete:
            return False
        changed = (*rows.marks, *tokens.edited)
        return not any(outdated(found, rows.edited(row)) for row in changed if (found := tokens.of(row)) is not None)

    def look_at_tokens(self) -> None:
        """Look up what is known of tokens under the recipe as it is now."""
        if self._desk is None:
            return  # nor is the recipe's declaration read before there is data
        recipe = self._recipe()
        if recipe is not None and recipe.model.path:
            self._desk.tokens(self.session.workspace).look(recipe)

    def _recipe(self) -> Recipe | None:
        try:
            return self.session.recipe
        except TunedeckError as fault:
            self._say(f"The recipe cannot be read. {clean(str(fault))}")
            return None

    def on_screen_resume(self) -> None:
        """The recipe may have changed meanwhile."""
        super().on_screen_resume()
        self.look_at_tokens()

    def _take_tokens(self, news: TokenNews) -> None:
        from tui.data import sample as data_sample

        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        flags_before = bool(rows.tokens.flags)
        rows.tokens.learn(news)
        listing.update()
        if (flags_before or news.flags) and rows.follows_flags:
            rows.use_filter(rows.filter)
            listing.reset(rows.count, rows.position_of(max(0, self._entry)))
        if self._entry >= 0:
            self.sample_view.show_notes(data_sample.notes(rows, self._entry))
        self._show_facts()
        if news.failed:
            self.tell(news.words, failed=True)
