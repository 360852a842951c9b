"""Conversations whose turns are missing, empty or in an order that chat templates refuse."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item


class EmptyAnswer(Check):
    """An assistant turn without text and without a tool call."""

    name = "empty_answer"
    title = "empty answer"
    help = "An assistant turn has no text and no tool call, which teaches the model to answer with nothing."
    example = '`{"prompt": "Hi", "completion": ""}`'
    advice = "Write the answer or drop the row."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Names the first empty turn."""
        sample = item.sample
        if sample is None:
            return None
        if sample.kind == "text":
            return None if sample.text.strip() else self.flag("the text is empty")
        for number, turn in enumerate(item.turns, 1):
            if turn.role == "assistant" and not (turn.tool_calls or turn.media or turn.content.strip()):
                thought = " except for its reasoning" if turn.reasoning.strip() else ""
                return self.flag(f"turn {number} (assistant) is empty{thought}")
        return None


class MissingTurn(Check):
    """No question, no answer, or a question that nobody answers."""

    name = "missing_turn"
    title = "missing turn"
    help = "There is no user turn, no assistant turn, an empty question, or no answer at the end."
    example = '`{"messages": [{"role": "user", "content": "Hi"}]}`'
    advice = "Add the turn or drop the row."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Says which turn is missing."""
        if item.sample is None or item.sample.kind == "text":
            return None
        roles = [turn.role for turn in item.conversation]
        if "user" not in roles:
            return self.flag("no user turn")
        asked = item.sample.kind == "prompt"
        if not asked and "assistant" not in roles:
            return self.flag("no assistant turn")
        if not asked and roles[-1] != "assistant":
            return self.flag(f"no answer: the last turn is a {roles[-1]} turn")
        for number, turn in enumerate(item.conversation, 1):
            if turn.role == "user" and not (turn.media or turn.content.strip()):
                return self.flag(f"turn {number} (user) is empty")
        return None


class RoleOrder(Check):
    """Turns in an order that no conversation has."""

    name = "role_order"
    title = "role order"
    help = (
        "The roles do not alternate as chat templates expect: many reject such a conversation, others render it wrong."
    )
    example = "two user turns in a row"
    advice = "Merge or reorder the turns. If every row has it, check the role names in the mapping."
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Names the first turn that is out of order."""
        if item.sample is None or item.sample.kind == "text":
            return None
        before = ""
        for number, turn in enumerate(item.conversation, 1):
            role = turn.role
            if role == "system" and number > 1:
                return self.flag(f"turn {number} is a system prompt in the middle of the conversation")
            if role == "assistant" and before in ("", "system"):
                return self.flag(f"turn {number} (assistant) comes before any user turn")
            if role == before and role in ("user", "assistant"):
                return self.flag(f"turns {number - 1} and {number} are both {role} turns")
            if role == "tool" and before not in ("assistant", "tool"):
                return self.flag(f"turn {number} is a tool result without a tool call")
            before = role
        return None


class LossWeight(Check):
    """A loss weight that training does not know."""

    name = "loss_weight"
    title = "unsupported loss weight"
    help = "A turn has a loss weight other than 0 and 1, which is not supported: it is treated as 1."
    example = '`{"role": "assistant", "content": "Hello", "weight": 0.3}`'
    advice = "Set the weight to 0 (no loss) or 1, or drop the row."

    def inspect(self, item: Item) -> Flag | None:
        """Names the first such turn."""
        for number, turn in enumerate(item.turns, 1):
            if turn.weight != 1:
                return self.flag(f"turn {number} has loss weight {turn.weight:g}; treated as 1")
        return None
