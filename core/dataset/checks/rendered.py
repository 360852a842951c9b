"""Texts that a chat template has already rendered, or conversations flattened into one text."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag, SetProperty
from core.dataset.item import Item

_ROLE = r"(?:system|user|human|assistant|model|tool|developer|ipython|prompter|observation|System|User|Assistant|Human)"
_ASKS = r"(?:human|user|instruction|input|question|prompt|prompter|用户|人类|指令)"
_ANSWERS = r"(?:assistant|response|output|answer|gpt|bot|ai|model|助手|回答|回复)"

# What shows each markup, after the `<|` with which most begin: looking for a literal costs a tenth of alternatives.
_TOKENS = {
    "ChatML": rf"im_start\|>\s?{_ROLE}\b|im_end\|>",
    "Llama 3": rf"start_header_id\|>\s?{_ROLE}\b|eot_id\|>",
    "Llama 4": rf"header_start\|>\s?{_ROLE}\b",
    "Phi, Zephyr or GLM": rf"{_ROLE}\|>",
    "Command R": r"START_OF_TURN_TOKEN\|>",
    "Granite": rf"start_of_role\|>\s?{_ROLE}\b",
    "Harmony": rf"start\|>\s?{_ROLE}\b|channel\|>(?:analysis|final|commentary)",
    "OpenChat": r"end_of_turn\|>",
}
_TOKEN_NAMES = tuple(_TOKENS)
_TOKEN = re.compile(rf"<\|(?:{'|'.join(f'({pattern})' for pattern in _TOKENS.values())})")
_OTHERS = (
    ("Gemma", "<start_of_turn>"),
    ("Gemma", "<end_of_turn>"),
    ("Mistral or Llama 2", "[INST]"),
    ("Mistral or Llama 2", "[/INST]"),
    ("Llama 2", "<<SYS>>"),
    ("Baize", "[|AI|]"),
    ("Nemotron", "<extra_id_1>Assistant"),
    ("DeepSeek", "<\uff5cUser\uff5c>"),
    ("DeepSeek", "<\uff5cAssistant\uff5c>"),
)
_INLINE = re.compile(r"### (?:Human|User):.*?\S[ \t]*### Assistant:", re.S)
_ENDS = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|return|>")

# Labels at the beginnings of lines: that of a question, and after it in the same text that of an answer.
_LABELS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "Alpaca",
        re.compile(rf"^[ \t]*#{{2,4}} ?{_ASKS}\b", re.M | re.I),
        re.compile(rf"^[ \t]*#{{2,4}} ?{_ANSWERS} ?[:\uff1a]", re.M | re.I),
    ),
    (
        "Human and Assistant",
        re.compile(r"^[ \t]*(?:\*\*|<)?(?:human|user|用户|人类)(?:\*\*|>)? ?[:\uff1a]", re.M | re.I),
        re.compile(
            r"(?:^[ \t]*(?:\*\*|<)?(?:[Aa]ssistant|ASSISTANT|AI|[Bb]ot|BOT|GPT|Chat[Bb]ot|助手)(?:\*\*|>)?| ASSISTANT)"
            r" ?[:\uff1a]",
            re.M,
        ),
    ),
)


class RenderedChat(Check):
    """The markup of a chat template inside a text, or a conversation flattened into one text."""

    name = "rendered_chat"
    title = "already rendered chat"
    help = (
        "The text contains chat template markup (ChatML, Llama, Mistral, Gemma) or the labels of a flattened "
        "conversation (Alpaca, Human/Assistant). The template would be applied twice, or questions would be trained on "
        "as answers."
    )
    example = '`{"text": "<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\nHello<|im_end|>"}`'
    advice = (
        "Split the text into `messages` before training. Keep it if the text is about such markup, or if you train a "
        "base model on rendered text on purpose."
    )
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._seen = 0
        self._ended = array("L")
        self._ends: dict[str, int] = {}

    def inspect(self, item: Item) -> Flag | None:
        """Names the markup that was found first, and quotes it."""
        sample, text = item.sample, item.text
        if sample is None:
            return None
        self._seen += 1
        if ("<" in text or "[" in text or "#" in text) and (markup := _markup(text)):
            return self.flag(markup)
        plain = item.normalized
        if ":" in plain and (
            "##" in plain or "user" in plain or "human" in plain or (not plain.isascii() and _has_chinese_label(plain))
        ):  # NFKC has made plain colons of all
            turns = [text] if sample.kind == "text" else [turn.content for turn in item.turns]
            for turn in turns:
                for name, asks, answers in _LABELS:
                    if (asked := asks.search(turn)) and (answered := answers.search(turn, asked.end())):
                        labels = f"{asked.group().strip()} ... {answered.group().strip()}"
                        return self.flag(f"{name} labels in one text: {labels}")
        if plain.endswith(">") and (end := next((end for end in _ENDS if sample.answer.rstrip().endswith(end)), "")):
            self._ended.append(item.row)
            self._ends[end] = self._ends.get(end, 0) + 1
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the answers that end with an end token, unless most do."""
        if not self._all_end:
            for row in self._ended:
                yield row, self.flag("the answer ends with an end token as text, and training adds another one")

    def properties(self) -> Iterator[SetProperty]:
        """How many answers end with an end token, where those are most."""
        if self._all_end:
            rows = len(self._ended)
            ends = ", ".join(self._ends)
            said = f"{rows:,} of {self._seen:,} answers end with {ends} as text, and training adds another end token"
            yield SetProperty(self.name, said, rows)

    @property
    def _all_end(self) -> bool:
        return self.is_property(len(self._ended), self._seen)


def _markup(text: str) -> str:
    """What was found of a chat template, or ""."""
    if "<|" in text and (found := _TOKEN.search(text)):
        return f"{_TOKEN_NAMES[(found.lastindex or 1) - 1]} markup in the text: {found.group().strip()}"
    if "### Assistant:" in text and _INLINE.search(text):
        return "Guanaco markup in the text: ### Assistant:"
    shown = "_of_turn>" in text or "INST]" in text or "<<SYS" in text or "[|AI|]" in text or "<extra_id_1>" in text
    if shown or (not text.isascii() and "<\uff5c" in text):
        return next((f"{name} markup in the text: {token}" for name, token in _OTHERS if token in text), "")
    return ""


def _has_chinese_label(text: str) -> bool:
    return "用户" in text or "人类" in text
