"""Preference pairs (chosen, rejected) and KTO (one answer and whether it is wanted)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, FormatOption, text_of
from core.dataset.formats.calls import read_tools
from core.dataset.formats.chat import SYSTEM, TOOLS, tools_of, with_system
from core.dataset.formats.instruct import HISTORY, context_of, joined, read_history
from core.dataset.formats.turns import TurnNames, is_turns, read_turns, turns_in
from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Message, Sample

_PROMPT_FIELDS = (
    FormatField("messages", ("conversations", "conversation", "messages"), required=False),
    FormatField("prompt", ("prompt", "question", "instruction", "query"), required=False),
    FormatField("input", ("input", "context"), required=False),
    HISTORY,
)
_LABELS = {
    **dict.fromkeys(
        (
            "true", "t", "1", "1.0", "+1", "yes", "y", "good", "great", "desirable", "desired", "chosen", "preferred",
            "like", "liked", "upvote", "upvoted", "thumb_up", "thumbs_up", "thumbsup",
            "accept", "accepted", "approve", "approved", "correct", "right", "pass", "win", "helpful",
            "\N{THUMBS UP SIGN}", "\N{WHITE HEAVY CHECK MARK}", "+",
        ),
        True,
    ),
    **dict.fromkeys(
        (
            "false", "f", "0", "0.0", "-1", "-1.0", "no", "n", "bad", "undesirable", "undesired", "rejected",
            "dispreferred", "dislike", "disliked", "downvote", "downvoted", "thumb_down",
            "thumbs_down", "thumbsdown", "reject", "disapprove", "disapproved", "incorrect", "wrong", "fail", "lose",
            "unhelpful", "\N{THUMBS DOWN SIGN}", "\N{CROSS MARK}", "-",
        ),
        False,
    ),
}  # fmt: skip
"""Labels as text, in lower case, with `_` for spaces and hyphens inside; numbers count by their text."""
_MODELS = re.compile(
    r"(?:model|assistant|answer|response|conversation)[ _-]?[ab12]|"
    r"(?:.*/)?(?:gpt|claude|llama|vicuna|mi[sx]tral|ministral|qwen|gemini|gemma|palm|koala|alpaca|dolly|oasst|chatglm|glm|"
    r"stablelm|fastchat|rwkv|falcon|command|yi|phi|deepseek|wizardlm|zephyr|olmo|tulu|nemotron|grok|baichuan|internlm|"
    r"chatgpt|text-davinci|bard|pythia|mpt|starling|openchat|solar|dbrx|jamba|granite|smollm|kimi|o(?=[134]))"
    r"(?:[-_.:/\d][\w.:+-]*)?",
    re.I,
)
"""Names of models and of their places in an arena: who won, not what was said."""
_ANSWERED = frozenset((
    "output", "response", "completion", "answer", "response_a", "response_b", "answer_a", "answer_b", "output_a",
    "output_b", "response_1", "response_2", "output_1", "output_2", "answer_1", "answer_2", "responses", "outputs",
    "conversation_a", "conversation_b",
))  # fmt: skip
_NAMED = re.compile(r"[A-Za-z][\w./:+]*[-_/.\d][\w./:+-]*")
"""One word with a hyphen, a slash or a digit in it, as names of models are."""
_VERDICTS = frozenset(("winner", "loser", "preferred", "dispreferred"))
_LETTERS = frozenset(("a", "b", "1", "2"))
_PLACES = frozenset(("tie", "tie (bothbad)", "both", "both_bad", "left", "right", "none", "neither"))
"""What a column of verdicts holds beside names; letters, where there are columns such as `response_a`."""
_PLAIN_ANSWERS = ("response", "output", "completion", "answer")
"""Columns that hold the chosen answer where there is a rejected one beside them."""
_CHOICES = frozenset(("choices", "options", "endings", "candidates", "sol1", "option1"))
"""Columns beside which a number is the number of a choice."""
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
"""Skin tones and variants of a thumb."""
_GOOD = "label.good"
_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")


def prompt_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[Message, ...]:
    """The turns before the answer: a conversation, a prompt as turns or text (with history and input), or none."""
    if "messages" in columns and row.get(columns["messages"]) is not None:
        return read_turns(row[columns["messages"]], TurnNames.of(columns))
    history = read_history(row, columns)
    field = next((name for name in ("prompt", "input") if name in columns), None)
    if field is None:
        return history
    names = TurnNames.of(columns)
    turns = turns_in(row.get(columns[field]), names)
    if turns is not None and (not turns or is_turns(turns, keys=names.keys)):
        return (*history, *read_turns(turns, names)) if turns else history
    if field == "input":  # the only column of a question
        context = context_of(row, columns, field)
        return (*history, Message("user", context)) if context.strip() else history
    question = text_of(row, columns, field)
    if question.startswith("\n\nHuman:"):
        return (*history, *transcript(question))
    return (*history, Message("user", joined(question, context_of(row, columns, "input"))))


def transcript(text: str, *, answered: bool = False) -> tuple[Message, ...]:
    """A whole conversation in one text, with `Human:` and `Assistant:` before each turn.

    Args:
        text: the conversation.
        answered: whether it ends in an answer, if only an empty one.
    """
    parts = _SPEAKER.split(text)
    turns = [
        Message("user" if speaker == "Human" else "assistant", said.strip())
        for speaker, said in zip(parts[1::2], parts[2::2], strict=True)
    ]
    if not answered and turns and turns[-1].role == "assistant" and not turns[-1].content:
        turns.pop()  # a prompt that ends with "Assistant:" asks for the answer
    return tuple(turns)


def answer_of(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> tuple[Message, ...]:
    """An answer given as text, a turn, turns, an object around them, any of these as JSON text, or a transcript."""
    value = row.get(columns[name])
    names = TurnNames.of(columns)
    turns = turns_in(value, names)
    if turns and all(isinstance(turn, str) for turn in turns):
        if len(turns) > 1:
            raise Unreadable(f"`{columns[name]}` has {len(turns)} answers; expected one")
        return (Message("assistant", turns[0]),)
    if turns is not None:
        return read_turns(turns, names)
    if isinstance(value, str) and value.startswith("\n\nHuman:"):
        return transcript(value, answered=True)
    return (Message("assistant", text_of(row, columns, name)),)


class Preference(Format):
    """A prompt, the better and the worse answer; as texts, as turns, or as two whole transcripts."""

    name = "preference"
    title = "preference (chosen, rejected)"
    kind = "preference"
    fields = (
        FormatField(
            "chosen",
            ("chosen", "chosen_response", "chosen_messages", "response_chosen", "preferred", "winner", *_PLAIN_ANSWERS),
            required=False,
        ),
        FormatField(
            "rejected",
            ("rejected", "rejected_response", "rejected_messages", "response_rejected", "dispreferred", "loser"),
        ),
        *_PROMPT_FIELDS,
        SYSTEM,
        TOOLS,
    )
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both answers are texts, objects or lists; without a chosen one, whether a conversation ends in it."""
        if not isinstance(row.get(columns["rejected"]), (str, list, dict)):
            return False
        if "chosen" in columns:
            return isinstance(row.get(columns["chosen"]), (str, list, dict))
        return "messages" in columns and _ends_in_answer(row.get(columns["messages"]), columns)

    def fitting(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
        """As `Format`; names of models show that the columns say who won, not what was said."""
        if any(_names_models(rows, columns[name]) for name in ("chosen", "rejected") if name in columns):
            return 0
        return super().fitting(rows, columns)

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """Without a conversation that already holds the chosen answer: it is no prompt (UltraFeedback's `messages`)."""
        column = columns.get("messages")
        if column is None or "chosen" not in columns:
            return dict(columns)
        filled = [row[column] for row in rows if row.get(column) is not None]
        # A list of something else is no prompt (Capybara's pairs of `input` and `output` beside whole conversations).
        if filled and not any(is_turns(turns_in(value, TurnNames.of(columns))) for value in filled):
            return {name: each for name, each in columns.items() if name != "messages"}
        ended = sum(_ends_in_answer(value, columns) for value in filled)
        if not filled or 2 * ended <= len(filled):
            return dict(columns)
        # A plain `response` beside such a conversation is something else: the conversation has the chosen answer.
        out = "chosen" if columns["chosen"].lower() in _PLAIN_ANSWERS else "messages"
        return {name: each for name, each in columns.items() if name != out}

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The prompt, and what follows it in each answer.

        Where the answers repeat the prompt, or are whole transcripts, what they have in common is the prompt.
        """
        prompt = prompt_of(row, columns)
        rejected = answer_of(row, columns, "rejected")
        if "chosen" in columns:
            chosen = answer_of(row, columns, "chosen")
        else:
            prompt, chosen, rejected = _continued(prompt, rejected)
        return _parted(prompt, chosen, rejected, row, columns, tools_of(row, columns))


class HostedPreference(Format):
    """OpenAI's preference files, which this program writes too: the prompt in `input`, and two outputs."""

    name = "openai-preference"
    title = "OpenAI preference (input, preferred_output, non_preferred_output)"
    kind = "preference"
    fields = (
        FormatField("input", ("input",)),
        FormatField("chosen", ("preferred_output",)),
        FormatField("rejected", ("non_preferred_output",)),
    )
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the three hold what they must."""
        asked = row.get(columns["input"])
        return isinstance(asked, (str, list, dict)) and all(
            isinstance(row.get(columns[name]), (str, list, dict)) for name in ("chosen", "rejected")
        )

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The prompt with its tools, and the two outputs."""
        asked = row.get(columns["input"])
        if asked is None:
            raise Unreadable(f"no `{columns['input']}`")
        names = TurnNames.of(columns)
        turns = turns_in(asked, names)
        prompt = (Message("user", str(asked)),) if turns is None else read_turns(turns, names)
        chosen, rejected = (answer_of(row, columns, name) for name in ("chosen", "rejected"))
        tools = read_tools(asked.get("tools")) if isinstance(asked, Mapping) else ()
        return _parted(prompt, chosen, rejected, row, columns, tools)


def _parted(
    prompt: tuple[Message, ...],
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    row: Mapping[str, Any],
    columns: Mapping[str, str],
    tools: tuple[dict[str, Any], ...],
) -> Sample:
    """A pair of answers to a prompt, with what the answers have in common taken for the prompt.

    Raises:
        Unreadable: they have something in common that is not the prompt, or one does not begin with an answer.
    """
    if chosen[:1] != rejected[:1] or len(chosen) < 2 or len(rejected) < 2:
        shared = 0
    else:
        pairs = zip(chosen[:-1], rejected[:-1], strict=False)
        shared = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(chosen), len(rejected)) - 1)
    common = chosen[:shared]
    begins = common[: len(prompt)] == prompt
    if common and not begins and not _ends_with(prompt, common) and not _ends_with(common, prompt):
        raise Unreadable("the chosen and rejected answers begin with a conversation that is not the prompt")
    if len(common) > len(prompt):
        prompt = common
    chosen, rejected = chosen[shared:], rejected[shared:]
    if not shared and chosen[0].role == rejected[0].role != "assistant":
        raise Unreadable("the chosen and the rejected conversation begin with different prompts")
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        if not answer:
            raise Unreadable(f"no {name} answer")
        if answer[0].role != "assistant":
            raise Unreadable(f"`{columns.get(name, name)}` starts with a {answer[0].role} turn, not with an answer")
    messages = with_system(prompt, row, columns)
    return Sample("preference", messages=messages, chosen=chosen, rejected=rejected, tools=tools)


def _continued(
    whole: tuple[Message, ...], rejected: tuple[Message, ...]
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]:
    """Prompt, chosen and rejected of a conversation that ends in the chosen answer.

    Args:
        whole: the conversation.
        rejected: another answer, or the whole conversation with another end.
    """
    if rejected[0].role != "assistant":
        return (), whole, rejected
    last = max((n for n, turn in enumerate(whole) if turn.role != "assistant"), default=-1)
    return whole[: last + 1], whole[last + 1 :], rejected


def _ends_in_answer(value: Any, columns: Mapping[str, str]) -> bool:
    names = TurnNames.of(columns)
    turns = turns_in(value, names)
    if not turns or not isinstance(turns[-1], dict):
        return False
    try:
        return read_turns(turns[-1:], names)[-1].role == "assistant"
    except Unreadable:
        return False


def _names_models(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether most texts of a column are names of models.

    A column of verdicts (`winner`) holds names, too, where a few short words come again and again.
    """
    texts = [text.strip() for row in rows if isinstance(text := row.get(column), str) and text.strip()]
    if not texts:
        return False
    named = sum(len(text) <= 80 and _MODELS.fullmatch(text) is not None for text in texts)
    if column.lower().strip() in _VERDICTS:
        arena = any(name.lower().endswith(("_a", "_b", "_1", "_2")) for row in rows for name in row)
        places = _PLACES | _LETTERS if arena else _PLACES
        named = sum(text.lower() in places or _MODELS.fullmatch(text[:80]) is not None for text in texts)
        few = len(texts) >= 4 and 2 * len(set(texts)) <= len(texts)
        beside = any(not _ANSWERED.isdisjoint(row) for row in rows) and column.lower().strip() in ("winner", "loser")
        if few and beside and all(len(text.split()) == 1 for text in texts):
            return True  # the answers are in columns of their own
        if few and 2 * sum(_NAMED.fullmatch(text[:80]) is not None for text in texts) > len(texts):
            return True
    return 2 * named > len(texts)


def _ends_with(longer: tuple[Message, ...], shorter: tuple[Message, ...]) -> bool:
    return not shorter or longer[-len(shorter) :] == shorter


class Kto(Format):
    """An answer and a label that says whether it is wanted."""

    name = "kto"
    title = "KTO (answer with a good or bad label)"
    kind = "kto"
    fields = (
        FormatField(
            "label",
            ("label", "kto_tag", "kto_label", "desirable", "is_desirable", "is_good", "thumbs_up", "thumbs", "liked"),
        ),
        FormatField("messages", ("messages", "conversations", "conversation"), required=False),
        FormatField(
            "prompt", ("prompt", "instruction", "question", "query", "q", "source", "user", "input"), required=False
        ),
        FormatField("input", ("input", "context"), required=False),
        FormatField(
            "completion",
            ("completion", "response", "output", "answer", "target", "generation", "assistant", "a", "solution"),
            required=False,
        ),
        HISTORY,
        SYSTEM,
        TOOLS,
    )
    options = (FormatOption(_GOOD, "good label"), *TURN_OPTIONS)

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the label says good or bad, and there is a conversation or a completion."""
        if _label(row.get(columns["label"]), columns) is None:
            return False
        return "messages" in columns or ("prompt" in columns and "completion" in columns)

    def fitting(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
        """As `Format`; a number other than 0 and 1 among the labels shows that they are classes or ratings."""
        labels = [row.get(columns["label"]) for row in rows]
        if any(not _CHOICES.isdisjoint(row) and _is_number(row.get(columns["label"])) for row in rows):
            return 0  # the number of the right choice
        if any(_is_number(label) and _label(label, columns) is None for label in labels):
            return 0
        numbers = {float(str(label)) for label in labels if _is_number(label)}
        if {-1.0, 0.0} <= numbers and _GOOD not in columns:  # a rating with a middle
            return 0
        return super().fitting(rows, columns)

    def reason(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] = ()) -> str:
        """Which columns, and which labels are good."""
        good = columns.get(_GOOD) or "true, 1 or good"
        return f"{super().reason(columns, rows)}; `{columns['label']}` {good} means a good answer"

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The conversation up to the last answer, that answer, and its label."""
        value = row.get(columns["label"])
        label = _label(value, columns)
        if label is None:
            raise Unreadable(
                f"`{columns['label']}` should be true or false, 1 or 0, good or bad, but it is "
                + (repr(value[:40]) if isinstance(value, str) else json_type(value))
            )
        if "completion" in columns:
            prompt, answer = prompt_of(row, columns), answer_of(row, columns, "completion")
        else:
            turns = prompt_of(row, columns)
            last = max((n for n, turn in enumerate(turns) if turn.role != "assistant"), default=-1)
            prompt, answer = turns[: last + 1], turns[last + 1 :]
        if not answer or answer[0].role != "assistant":
            raise Unreadable("the last turn is not an assistant turn, so there is no answer to label")
        return Sample(
            "kto",
            messages=with_system(prompt, row, columns),
            chosen=answer,
            label=label,
            tools=tools_of(row, columns),
        )


def _label(value: Any, columns: Mapping[str, str]) -> bool | None:
    """Whether a label is a good one. Where the mapping names good labels, all others are bad."""
    good = columns.get(_GOOD, "")
    if good and value is not None:
        return str(value).strip().lower() in (name.strip().lower() for name in good.split("|"))
    if not isinstance(value, (str, int, float)):
        return None
    text = _SKIN.sub("", str(value)).strip().lower()
    return _LABELS.get(text if len(text) < 3 else re.sub(r"(?<=\w)[ -](?=\w)", "_", text.strip("\"'.!:")))


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lstrip("+-").replace(".", "", 1).isdecimal()
    return isinstance(value, (int, float)) and not isinstance(value, bool)
