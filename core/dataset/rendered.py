"""What a sample holds and the text that the model gets does not: found by rendering the sample with marks in it.

Each part of a sample gets marks: words that stand nowhere else, put into its text, names and values. Whatever mark is
missing in the rendered text, the template did not render. So a value that also stands in the question hides nothing,
and no list of templates has to be kept.

A loss is an error where it changes what is trained: a call, thinking or text of a turn that carries loss, and the
tools and media of the sample, which its answers rest on. It is context only where the turn carries no loss. One more
loss counts as context: thinking of an earlier answer that the template leaves out once a new question follows, while
it renders the thinking of the last answer. The model is asked with the same text, so this is by design.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.dataset.sample import Message
from core.dataset.without import MEDIA, PARTS, REASONING, TEXT, TOOL_CALLS, TOOLS, think_end, thought

AnswerSpans = Sequence[tuple[int, int]]
RenderTalk = Callable[[list[dict[str, Any]], "list[dict[str, Any]] | None"], "tuple[str | None, AnswerSpans | None]"]
"""A talk and its tools as text, None where the template refuses them, with the spans that are marked as answers; None
where nothing is marked."""

_FLAG, _FIELD = "not_rendered", "data.train_without"
_ASKING = ("system", "user")
_MARK = re.compile(r"zq\d+x|9182\d{6}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LostPart:
    """Something that a sample holds and that the rendered text does not.

    Attributes:
        part: what, a name of `core.dataset.without.PARTS`.
        turn: its turn, from 1 in the conversation; 0 for the tools, which belong to no turn.
        trained: whether it is lost from what is trained; else from context only.
        answer: `chosen` or `rejected` where it is lost from that answer of a pair, or "".
        reason: what is wrong where it is not simply missing, or "".
    """

    part: str
    turn: int
    trained: bool
    answer: str = ""
    reason: str = ""


def loss_words(losses: Iterable[LostPart]) -> str:
    """Losses in words: `tool calls (turns 2, 4), tool schemas`; a phrase, "" for none."""
    turns: dict[tuple[str, str], list[str]] = {}
    for loss in losses:
        places = turns.setdefault((loss.part, loss.reason), [])
        place = f"{loss.turn} {loss.answer}".strip() if loss.turn else ""
        if place and place not in places:
            places.append(place)
    words = []
    for (part, reason), places in turns.items():
        where = f" (turn{'s' * (len(places) > 1)} {', '.join(places)})" if places else ""
        words.append(f"{PARTS[part]}{where}{f': {reason}' if reason else ''}")
    return ", ".join(words)


def ways_on(lost: Iterable[str]) -> str:
    """What to do about rows that lose what they would train, with the parts to name in the recipe; no full stop.

    Args:
        lost: what each row loses, as `loss_words` says it.
    """
    found = set(lost)
    named = [name for name, words in PARTS.items() if any(re.search(rf"(?:^|, ){words}\b", each) for each in found)]
    parts = f" to {', '.join(named)}" if named else ""
    return f"Choose another chat template, add {_FLAG} to data.drop_flags, or set {_FIELD}{parts}"


def holds_more(turns: Iterable[Message], tools: Sequence[Any]) -> bool:
    """Whether there is anything that a template may leave out: tools, calls, results, thinking or media."""
    return bool(tools) or any(
        turn.tool_calls or turn.reasoning or turn.media or turn.role == "tool" or think_end(turn) for turn in turns
    )


class RenderedCheck:
    """Finds what a template does not render.

    Args:
        render: how talks are rendered with it.
    """

    def __init__(self, render: RenderTalk) -> None:
        self._render = render
        self._thinks: tuple[bool, bool] | None = None
        self._plain: dict[bool, bool] = {}

    def losses(
        self,
        turns: Sequence[Message],
        tools: Sequence[dict[str, Any]],
        *,
        everything: bool = False,
        answer_from: int | None = None,
        answer: str = "",
    ) -> tuple[LostPart, ...]:
        """What the rendered text of a conversation does not hold.

        Args:
            turns: the conversation.
            tools: the sample's.
            everything: whether all turns carry loss.
            answer_from: of a pair, where its answer begins among the turns: what comes before carries no loss.
            answer: of a pair, which.
        """
        system = any(turn.role == "system" for turn in turns)
        if not holds_more(turns, tools) and self._renders_turns(system=system):
            return ()
        return self._losses(turns, tools, everything, answer_from, answer)

    def refused(self, turns: Sequence[Message], tools: Sequence[dict[str, Any]]) -> bool:
        """Whether the template refuses a conversation."""
        return self._render([turn.for_template() for turn in turns], list(tools) or None)[0] is None

    def _losses(
        self,
        turns: Sequence[Message],
        tools: Sequence[dict[str, Any]],
        everything: bool,
        answer_from: int | None,
        answer: str,
    ) -> tuple[LostPart, ...]:
        found = _Found(self._render, turns, tools)
        last = max((number for number, turn in enumerate(turns, 1) if turn.role == "assistant"), default=0)
        teaches = everything or any(turn.role == "assistant" and turn.trained for turn in turns)
        lost = [
            LostPart(MEDIA, number, teaches, _of(number, answer_from, answer))
            for number, turn in enumerate(turns, 1)
            if turn.media
        ]
        for part in found.parts:
            turn = turns[part.turn - 1] if part.turn else None
            learned = teaches and (everything or turn is None or (turn.role == "assistant" and turn.trained))
            if answer_from is not None and turn is not None and part.turn <= answer_from:
                learned = False
            if part in found.missing:
                if part.what == REASONING and learned and part.turn < last and self._renders_thinking()[part.inline]:
                    learned = False
                lost.append(LostPart(part.what, part.turn, learned, _of(part.turn, answer_from, answer)))
            elif part in found.unmarked and learned and turn is not None and turn.role == "assistant":
                lost.append(
                    LostPart(part.what, part.turn, True, reason="rendered outside the answer, so not trained on")
                )
        return tuple(dict.fromkeys(lost))

    def _renders_thinking(self) -> tuple[bool, bool]:
        """Whether the thinking of the last answer is rendered, given as a field and inside think tags."""
        if self._thinks is None:
            asked = Message("user", "Which?")
            field_form = Message("assistant", "This.", "I think so.")
            inline_form = Message("assistant", "<think>\nI think so.\n</think>\n\nThis.")
            kept = [not _Found(self._render, (asked, form), ()).missing for form in (field_form, inline_form)]
            self._thinks = (kept[0], kept[1])
        return self._thinks

    def _renders_turns(self, *, system: bool) -> bool:
        """Whether every turn of a plain conversation is rendered; a template that refuses it loses nothing silently."""
        if system not in self._plain:
            turns = (
                *((Message("system", "Be brief."),) if system else ()),
                Message("user", "First?"),
                Message("assistant", "One."),
                Message("user", "Second?"),
                Message("assistant", "Two."),
            )
            self._plain[system] = self.refused(turns, ()) or not _Found(self._render, turns, ()).missing
        return self._plain[system]


class _Found:
    """The parts of a conversation, and which of them are not rendered.

    Attributes:
        parts: all of them.
        missing: those that are not in the rendered text.
        unmarked: those that are, but outside the marks of answers.
    """

    def __init__(self, render: RenderTalk, turns: Sequence[Message], tools: Sequence[dict[str, Any]]) -> None:
        probe = _Probe()
        asked = [
            (number, turn) for number, turn in enumerate(turns, 1) if turn.role in _ASKING and turn.content.strip()
        ]
        talk = [probe.turn(number, turn) for number, turn in enumerate(turns, 1)]
        shown = [probe.tool(tool) for tool in tools] or None
        text, spans = render(talk, shown)
        self.parts = probe.parts
        self.unmarked: set[_Part] = set()
        if text is None:  # the template checks what stands in the values: then they are looked for as they are
            real = render([turn.for_template() for turn in turns], list(tools) or None)[0] or ""
            self.missing = {part for part in probe.parts if not all(_stands(word, real) for word in part.words)}
            self.missing |= {part for part in probe.asking(asked) if not _stands(part.words[0], real)}
            return
        seen: dict[str, list[int]] = {}
        for found in _MARK.finditer(text):
            seen.setdefault(found.group().lower(), []).append(found.start())
        self.missing = {part for part in probe.parts if not seen.keys() >= set(part.marks)}
        self.missing -= {part for part in self.missing if _said_in_text(part, turns, self.missing)}
        self.unmarked = {
            part
            for part in (() if spans is None else probe.parts)
            if part not in self.missing
            and not all(_inside(seen[mark], spans or ()) for mark in part.marks if mark in seen)
        }
        self.missing |= {part for part in probe.asking(asked) if not _asked_in(part, text, render, talk, shown)}


def _asked_in(part: _Part, text: str, render: RenderTalk, talk: list[dict[str, Any]], tools: Any) -> bool:
    """Whether the text of a system or user turn is rendered, though a template may cut a switch out of it."""
    if _stands(part.words[0], text):
        return True
    mark = "zq0x"
    marked = [*talk]
    marked[part.turn - 1] = {**talk[part.turn - 1], "content": f"{part.words[0]} {mark}"}
    shown, _ = render(marked, tools)
    return shown is None or mark in shown.lower()


def _of(turn: int, answer_from: int | None, answer: str) -> str:
    return answer if answer_from is not None and turn > answer_from else ""


def _inside(places: Sequence[int], spans: AnswerSpans) -> bool:
    return any(start <= place < end for place in places for start, end in spans)


def _stands(word: str, text: str) -> bool:
    """Whether a word stands in a text, as it is or as JSON writes it."""
    return word in text or json.dumps(word, ensure_ascii=False)[1:-1] in text or json.dumps(word)[1:-1] in text


def _said_in_text(part: _Part, turns: Sequence[Message], missing: set[_Part]) -> bool:
    """Whether the data says a missing part once more as plain text that is rendered: a call in the text of its turn,
    tools in a system prompt, thinking that stands in the content too.
    """
    if part.what not in (TOOL_CALLS, TOOLS, REASONING):
        return False
    for number, turn in enumerate(turns, 1):
        if number != part.turn and not (part.what == TOOLS and turn.role == "system"):
            continue
        gone = {(each.what, each.inline) for each in missing if each.turn == number}
        end = think_end(turn)
        inside = "" if (REASONING, True) in gone else turn.content[:end]
        text = inside if (TEXT, False) in gone else inside + turn.content[end:]
        if text and all(_stands(word, text) for word in part.words):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a sample that must stand in the rendered text.

    Attributes:
        what: a name of `PARTS`.
        turn: its turn, from 1; 0 for a tool.
        number: tells parts of one turn apart.
        inline: whether it is thinking inside the content.
        marks: the marks that were put into it.
        words: what it says itself: names, keys and values, or its text.
    """

    what: str
    turn: int
    number: int
    inline: bool
    marks: tuple[str, ...]
    words: tuple[str, ...]


@dataclass
class _Probe:
    """A sample with marks in it."""

    parts: list[_Part] = field(default_factory=list)
    _count: int = 0

    def turn(self, number: int, turn: Message) -> dict[str, Any]:
        """A turn with marks, as the template gets it."""
        value = turn.for_template()
        if turn.role in _ASKING:
            return value  # as it is: words such as /no_think switch templates
        end = think_end(turn)
        inside, after = turn.content[:end], turn.content[end:]
        if thought(inside).strip():
            mark = self._mark()
            self._add(REASONING, number, (mark,), (thought(inside).strip(),), inline=True)
            inside = inside.replace(thought(inside).strip(), _marked(thought(inside).strip(), mark), 1)
        if after.strip():
            mark = self._mark()
            self._add(TEXT, number, (mark,), (after.strip(),))
            after = _marked(after, mark)
        value["content"] = inside + after
        if turn.reasoning.strip():
            mark = self._mark()
            self._add(REASONING, number, (mark,), (turn.reasoning.strip(),))
            value["reasoning_content"] = _marked(turn.reasoning, mark)
        if turn.tool_calls:
            value["tool_calls"] = [self._call(number, call) for call in turn.tool_calls]
        return value

    def asking(self, turns: Iterable[tuple[int, Message]]) -> list[_Part]:
        """The texts of system and user turns, which have no marks."""
        first = len(self.parts)
        for number, turn in turns:
            self._add(TEXT, number, (), (turn.content.strip(),))
        return self.parts[first:]

    def tool(self, tool: dict[str, Any]) -> dict[str, Any]:
        """A tool's schema with marks in its name and in the names of its parameters."""
        function = tool.get("function")
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            return tool
        marks, words = [self._mark()], [function["name"]]
        shown = {**function, "name": function["name"] + marks[0]}
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        if isinstance(properties, Mapping):
            names = {name: f"{name}{self._mark()}" for name in properties}
            marks += [new[len(name) :] for name, new in names.items()]
            words += names
            renamed = {names[name]: value for name, value in properties.items()}
            shown["parameters"] = {**parameters, "properties": renamed}  # type: ignore[dict-item]
            required = parameters.get("required")  # type: ignore[union-attr]
            if isinstance(required, list):
                shown["parameters"]["required"] = [
                    names.get(name, name) if isinstance(name, str) else name for name in required
                ]
        self._add(TOOLS, 0, marks, words)
        return {**tool, "function": shown}

    def _call(self, number: int, call: dict[str, Any]) -> dict[str, Any]:
        function = call["function"]
        marks, words = [self._mark()], [function["name"]]
        shown = self._value(function["arguments"], marks, words)
        self._add(TOOL_CALLS, number, marks, words)
        return {**call, "function": {**function, "name": function["name"] + marks[0], "arguments": shown}}

    def _value(self, value: Any, marks: list[str], words: list[str]) -> Any:
        """A value of a call's arguments with marks in each key and in each text and number."""
        if isinstance(value, Mapping):
            shown = {}
            for key, each in value.items():
                mark = self._mark()
                marks.append(mark)
                words.append(str(key))
                shown[f"{key}{mark}"] = self._value(each, marks, words)
            return shown
        if isinstance(value, list):
            return [self._value(each, marks, words) for each in value]
        if isinstance(value, str):
            mark = self._mark()
            marks.append(mark)
            words.append(value)
            return _marked(value, mark)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._count += 1
            mark = f"9182{self._count % 10**6:06d}"
            marks.append(mark)
            words.append(json.dumps(value))
            return int(mark) if isinstance(value, int) else int(mark) + 0.5
        return value

    def _mark(self) -> str:
        self._count += 1
        return f"zq{self._count}x"

    def _add(self, what: str, turn: int, marks: Iterable[str], words: Iterable[str], *, inline: bool = False) -> None:
        self.parts.append(_Part(what, turn, len(self.parts), inline, tuple(marks), tuple(words)))


def _marked(text: str, mark: str) -> str:
    """The text with a mark in its middle, so that templates which trim it or look at its ends treat it alike."""
    words = text.strip()
    start = text.index(words) if words else 0
    middle = start + len(words) // 2
    return f"{text[:middle]}{mark}{text[middle:]}"
