"""Columns and keys of turns that the recognized format does not read, and which of them look meaningful."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.dataset.formats.base import Recognition
from core.dataset.formats.loss_flags import FLAG_KEYS, SPANS_KEY, TRAINED_KEYS, flag_number
from core.dataset.formats.parts import MEDIA_KEYS
from core.dataset.formats.recognize import FORMATS
from core.dataset.formats.turns import (
    CALL_KEYS,
    CONTENT_KEY,
    CONTENT_KEYS,
    REASONING_KEYS,
    RESULT_IDS,
    ROLE_KEY,
    ROLE_KEYS,
    TurnNames,
    speaker_role,
    turns_in,
)
from core.dataset.sample import Sample

_ANSWER_FIELDS = frozenset(("answer", "output", "completion", "chosen", "rejected", "reference"))
_TURN_FIELDS = frozenset(("messages", "prompt", "completion", "chosen", "rejected", "history", "input"))
_ANSWERS = {name for each in FORMATS for one in each.fields if one.name in _ANSWER_FIELDS for name in one.spellings}
_WORSE = {name for each in FORMATS for one in each.fields if one.name == "rejected" for name in one.spellings}
_TEXTS = {name for each in FORMATS for one in each.fields if one.name == "text" for name in one.spellings}
_TAKEN_FOR = {name for each in FORMATS for one in each.fields for name in one.spellings}
_PLAIN = frozenset((
    "a", "q", "text", "content", "document", "body", "code", "source", "user", "items", "title",
    "answerkey", "answer_key", "answer_idx", "answer_index",
))  # fmt: skip
_TELLING = frozenset((
    *FLAG_KEYS, *MEDIA_KEYS, *REASONING_KEYS, "labels", "class", "choices", "options", "endings", "candidates",
    "think", "role", "sys", "persona", "preamble", "previous_turns",
    "chat_template_kwargs", "train_on", "reward", "rewards", "toolconfig", "tool_config", "functions",
    "rationale", "explanation", "thought", "thoughts", "cot", "chain_of_thought", "reasoning_details", "analysis",
    "sample_weight", "weights", "masks", "targets", "outputs", "responses", "completions", "winner", "loser",
    "ground_truth", "gold", "sentiment", "image_url", "image_urls", "image_path", "image_paths", "audio_path",
    "video_path", "feedback", "vote", "verdict", "correct", "is_correct", "accepted", "is_accepted", "approved", "good",
    "bad", "is_bad",
    "summary", "abstract", "translation",
    "documents", "knowledge", "evidence", "tool_calls", "function_call", "function_calls", "refusal",
))  # fmt: skip
_TELLING_PARTS = re.compile(
    r"(?:^|_)(?:answers?|response|output|completion|reasoning|rationale|thinking|cot|thought|trajectory|trajectories|"
    r"label|chosen|rejected|context|ctx|passage|hint|evidence|fact|history|dialog|dialogue|document|doc|choice|option|distractor|preference)s?"
    r"(?:_|\d|$)"
)
_VERDICT = re.compile(
    r"(?:is|was)_(?:un)?(?:safe|chosen|preferred|accepted|approved|helpful|harmful|valid|right|wrong|best|better|good)"
)
_TURN = re.compile(r"(?:user|human|assistant|bot|gpt|turn)_?\d{1,2}")
"""Columns that hold a turn each."""
_CHOICES = re.compile(r"[a-e]|(?:op|opt|sol|choice|option)_?[a-e1-5]")
"""Columns that hold a choice each."""
_LOSS_PARTS = re.compile(
    r"(?:^|_)(?:train|trained|trainable|training|loss|mask|masked|learn|learned|supervised?|ignored?|skip|skipped|exclude|"
    r"excluded|include|target|context_only)(?:_|$)"
)
_OF_THE_PROMPT = re.compile(r"(?:^|_)(?:input|prompt|question|query|instruction)s?(?:_|$)")
_OF_A_SPLIT = re.compile(r"(?:^|_)(?:in|used|from|split)_")
"""Such a name says where a row was used, not what to train on."""
_WITH_REASONING = frozenset(each.name for each in FORMATS if any(one.name == "reasoning" for one in each.fields))
_THINKING = re.compile(r"(?:^|_)(?:reasoning|thinking|think|thoughts?|cot|chain_of_thought|rationale)(?:_|$)")
_SPLITS = frozenset(("split", "subset", "partition", "fold"))
_HELD_OUT = frozenset((
    "test", "testing", "eval", "evaluation", "valid", "validation", "val", "dev", "holdout", "held_out",
))  # fmt: skip
_JUDGED = frozenset((
    "good", "bad", "approve", "approved", "disapproved", "declined",
    "chosen", "rejected", "preferred", "dispreferred", "accept", "accepted", "reject", "desirable",
    "undesirable", "liked", "disliked", "like", "dislike", "upvote", "downvote", "thumbs_up", "thumbs_down", "thumb_up",
    "thumb_down", "up", "down", "correct", "incorrect", "wrong", "pass", "fail", "helpful", "unhelpful",
    "\N{THUMBS UP SIGN}", "\N{THUMBS DOWN SIGN}",
))  # fmt: skip
"""Values that say whether an answer is a good one, whatever their column is called."""
_HARMLESS_PARTS = re.compile(
    r"(?:^|_)(?:rewards?|margin|logps?|logprobs?|prob|ids?|uuid|hash|model|score|scores|rating|ratings|tokens?|length|len|lang|language|count|num|n|source|url|"
    r"date|time|timestamp|index|idx|key|keys|type|format|date|start|version|quality|avg|mean)(?:_|\d|$)"
)
_CLASSES = ("label", "labels", "class", "sentiment", "category")
_MOST_NAMED = 8
_NAMELESS = "(no name)"
_MOST_CLASS = 60
_LOOKED_AT = 64
"""Short texts of a column that are looked at before it counts as one that says nothing of the training."""
_MOST_REMEMBERED = 4_096
_MOST_LETTER = 3
_LEAST_SAID = 12
"""Characters from which on a text that is found somewhere in a sample is no chance."""


@dataclass(frozen=True, slots=True)
class UnusedNames:
    """What the format does not read.

    Attributes:
        columns: columns that hold something in some row, in the order in which they were met.
        turn_keys: keys of turns, likewise; keys inside an object are written `chosen.score`.
        meaningful: those of both that look meaningful.
        warnings: a sentence for each of these, or one for several; also one on loss weights that are not supported.
    """

    columns: tuple[str, ...] = ()
    turn_keys: tuple[str, ...] = ()
    meaningful: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """`not used: label, history`, those that look meaningful first; "" for nothing."""
        rest = [name for name in (*self.columns, *self.turn_keys) if name not in self.meaningful]
        names = list(dict.fromkeys((*self.meaningful, *rest)))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"not used: {', '.join(name[:40] or _NAMELESS for name in names[:_MOST_NAMED])}{more}" if names else ""

    def to_json(self) -> dict[str, list[str]]:
        """As `scan --json` prints it."""
        return {"columns": list(self.columns), "turn_keys": list(self.turn_keys)}


@dataclass(slots=True)
class UnusedSearch:
    """Looks at rows for names that their format does not read."""

    _columns: dict[str, bool] = field(default_factory=dict)
    _keys: dict[str, bool] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _second_system: set[str] = field(default_factory=set)
    _looked: dict[str, int] = field(default_factory=dict)
    _weight: float = 1.0
    _settled: set[str] = field(default_factory=set)
    _settled_keys: set[str] = field(default_factory=set)
    _readings: dict[int, _Reading] = field(default_factory=dict)
    _held: list[Recognition] = field(default_factory=list)
    _first: dict[str, tuple[Recognition, Any]] = field(default_factory=dict)

    def see(self, row: Mapping[str, Any], recognition: Recognition, sample: Sample | None) -> None:
        """Takes a row into account.

        Args:
            row: as parsed.
            recognition: what it is read as.
            sample: what it becomes, None where it cannot be read: then nothing of it is used, which others say.
        """
        if sample is None or not recognition.known:
            return
        reading = self._readings.get(id(recognition))
        if reading is None:
            reading = self._readings[id(recognition)] = _Reading.of(recognition)
            self._held.append(recognition)  # so that no other one gets its id
        names = tuple(row)
        if names not in reading.rows_done:
            new = row.keys() - reading.used - self._settled
            for name in row if new else ():
                if name in new and _filled(row[name]):
                    if not self._columns.get(name):
                        self._first[name] = (recognition, row[name])
                    if _note(self._columns, name, row[name], sample) and self._is_known(name, row[name]):
                        self._settled.add(name)
            if not new:
                _remember(reading.rows_done, names)
        if self._weight == 1:
            for turns in (sample.messages, sample.chosen, sample.rejected):
                for turn in turns:
                    if turn.weight != 1 and self._weight == 1:
                        self._weight = turn.weight
        if reading.system and reading.system not in self._second_system:
            self._see_system(row.get(reading.system), reading.system, sample)
        for column in reading.turns:
            value = row.get(column)
            if isinstance(value, (list, dict, str)):
                self._see_turns(value, column, reading, sample)
        if reading.instances and isinstance(row.get(reading.instances), list):
            for instance in row[reading.instances]:
                self._see_inside(instance, _INSTANCE, reading.instances, sample)

    def _is_known(self, name: str, value: Any) -> bool:
        """Whether further rows say nothing new of a column: of words and flags the first ones may be all alike."""
        if self._columns[name]:
            return True
        if _short(name) in _SPLITS:
            return False
        if not isinstance(value, str) or len(value) > _MOST_CLASS:
            return True
        self._looked[name] = self._looked.get(name, 0) + 1
        return self._looked[name] >= _LOOKED_AT

    def _see_system(self, value: Any, column: str, sample: Sample) -> None:
        """A system prompt in a column beside another one in the conversation, which counts."""
        first = sample.messages[:1]
        if not isinstance(value, str) or not value.strip() or value[:1] in "[{":
            return
        if first and first[0].role == "system" and value.strip() not in first[0].content:
            self._second_system.add(column)
            self._columns[column] = True

    def _see_turns(self, value: Any, column: str, reading: _Reading, sample: Sample) -> None:
        turns = value if isinstance(value, list) else turns_in(value, reading.names)
        if turns is None:
            return
        if isinstance(value, dict) and turns[0] is not value:
            self._see_inside(value, _AROUND, column, sample)
        flagged = False
        for turn in turns:
            if not isinstance(turn, dict):
                continue
            names = tuple(turn)
            if names in reading.turns_done:
                for key in _WITH_PARTS:
                    if isinstance(turn.get(key), list):
                        self._see_parts(turn[key], sample)
                continue
            keys = turn.keys()
            new = keys - reading.keys - self._settled_keys
            if new:
                self._note_keys((name for name in turn if name in new), turn, sample)
            for group in reading.groups:
                if len(keys & group) > 1:
                    self._second(turn, group, sample)
            for name in keys & _REASONING:
                if not isinstance(turn[name], str):
                    self._note_keys([name], turn, sample, telling=True)
            for key in _WITH_PARTS:
                if isinstance(turn.get(key), list):
                    self._see_parts(turn[key], sample)
            flagged = flagged or bool(keys & FLAG_KEYS)
            # Keys that say the same whatever they hold: further turns with them need no second look.
            if not new and keys.isdisjoint(_LOOKED_INTO) and all(len(keys & group) < 2 for group in reading.groups):
                _remember(reading.turns_done, names)
        if flagged:
            self._flags_of_others(turns, reading)

    def _see_parts(self, parts: Iterable[Any], sample: Sample) -> None:
        for part in parts:
            self._see_inside(part, _PART, "content", sample)

    def _see_inside(self, value: Any, known: frozenset[str], place: str, sample: Sample) -> None:
        """Keys of an object inside a column, named with their place."""
        for name in value.keys() - known if isinstance(value, dict) else ():
            whole = f"{place}.{name}"
            known_by_now = whole in self._settled_keys or not _filled(value[name])
            if not known_by_now and _note(self._keys, whole, value[name], sample):
                self._settled_keys.add(whole)

    def _note_keys(
        self, names: Iterable[str], turn: Mapping[str, Any], sample: Sample, *, telling: bool = False
    ) -> None:
        for name in names:
            if _filled(turn[name]) and _note(self._keys, name, turn[name], sample, telling=telling):
                self._settled_keys.add(name)

    def _second(self, turn: Mapping[str, Any], group: frozenset[str], sample: Sample) -> None:
        """Of several keys for one thing, those after the first, which is read."""
        order = (*CONTENT_KEYS, *REASONING_KEYS, *CALL_KEYS)
        filled = [name for name in order if name in group and _filled(turn.get(name))]
        self._note_keys(filled[1:], turn, sample, telling=True)

    def _flags_of_others(self, turns: Iterable[Any], reading: _Reading) -> None:
        """Flags that ask to train on a turn of the user: only the assistant's turns are trained on.

        Many tools write the same flag on every turn; it counts where it differs between the turns that are not
        trained on, or where an answer is excluded.
        """
        known = [turn for turn in turns if isinstance(turn, dict)]
        for key in TRAINED_KEYS:
            said = [(speaker_role(turn, reading.names), flag_number(turn[key])) for turn in known if key in turn]
            asked = any(number for role, number in said if role not in ("assistant", "call"))
            if asked and any(number == 0 for _, number in said):
                self._keys[key] = True
                self._asked.add(key)
        if any(
            turn.get(SPANS_KEY) and speaker_role(turn, reading.names) not in ("assistant", "call") for turn in known
        ):
            self._keys[SPANS_KEY] = True
            self._asked.add(SPANS_KEY)

    def found(self) -> UnusedNames:
        """What was found so far."""
        columns, keys = tuple(self._columns), tuple(self._keys)
        meaningful = tuple(name for names in (self._columns, self._keys) for name, telling in names.items() if telling)
        return UnusedNames(columns, keys, meaningful, tuple(self._warnings()))

    def _warnings(self) -> Iterable[str]:
        if self._weight != 1:
            yield f"Loss weights other than 0 and 1 ({self._weight:g}) are not supported: those turns are treated as 1."
        columns, keys, choices = [], [], []
        for name in (name for name, telling in self._columns.items() if telling):
            if _CHOICES.fullmatch(_short(name)):
                choices.append(name)
                continue
            said = self._about(name)
            if said:
                yield said
            else:
                columns.append(name)
        for name in (name for name, telling in self._keys.items() if telling):
            if name in self._asked:
                yield (
                    f"`{name}` marks user or system turns for training, which has no effect: only answers are trained "
                    f"on, unless data.loss_on is everything."
                )
            else:
                keys.append(name)
        if choices:
            named = ", ".join(f"`{name[:40]}`" for name in choices[:_MOST_NAMED])
            yield (
                f"{named} look like answer choices but are not used, so the model never sees what the answer refers "
                f"to. Put them into one column, `choices`, as a list."
            )
        yield from _together(columns, "", "To use {it}, map {it} or choose another format.")
        yield from _together(keys, " in turns", "To use {it}, rename {it} to a key that the format reads.")

    def _about(self, name: str) -> str:
        """What is to be said of one column, where more is known than its name."""
        if name in self._second_system:
            return f"`{name}` is not used in rows whose conversation already has a different system prompt."
        (how, value), short = self._first[name], _short(name)
        answer = next((each for each in ("completion", "output", "answer", "chosen") if each in how.columns), "")
        if how.kind == "text" and _is_class(short, value):
            return (
                f"`{name}` is not used; it looks like a class label. For classification, use the "
                f"format prompt-completion with prompt={how.columns['text']}, completion={name}."
            )
        if short in _ANSWERS - _WORSE - {"winner"} and answer:
            other = how.columns[answer]
            return f"`{name}` is not used; the answer is `{other}`. To train on it instead, set {answer}={name}."
        if short in _SPLITS and _holds_out(value):
            return f"`{name}` is not used: rows where it is {value[:20]!r} are trained on too. Filter them out first."
        if how.name in _WITH_REASONING and isinstance(value, str) and _THINKING.search(short):
            return f"`{name}` is not used; it looks like reasoning. To train on it, map it: reasoning={name}."
        if short in MEDIA_KEYS:
            return f"`{name}` is not used: training is on text only."
        return ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a recognition reads: columns, those of them that hold turns, and keys of turns.

    Also the names of columns and the keys of turns, in their order, that were found to hold nothing new.
    """

    used: frozenset[str]
    turns: tuple[str, ...]
    system: str
    instances: str
    keys: frozenset[str]
    groups: tuple[frozenset[str], ...]
    names: TurnNames
    rows_done: set[tuple[str, ...]] = field(default_factory=set)
    turns_done: set[tuple[str, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, recognition: Recognition) -> _Reading:
        columns = recognition.columns
        turns = tuple(column for name, column in columns.items() if name in _TURN_FIELDS)
        role, content = columns.get(ROLE_KEY), columns.get(CONTENT_KEY)
        roles = (role,) if role else ROLE_KEYS
        contents = (content,) if content else CONTENT_KEYS
        known = frozenset((
            *roles, *contents, *REASONING_KEYS, *CALL_KEYS, *RESULT_IDS, *FLAG_KEYS, *MEDIA_KEYS,
            "name", "tool_name", "media",
        ))  # fmt: skip
        groups = tuple(frozenset(each) for each in (contents, REASONING_KEYS, CALL_KEYS) if len(each) > 1)
        instances = columns.get("instances", "")
        system = columns.get("system", "")
        return cls(frozenset(columns.values()), turns, system, instances, known, groups, TurnNames.of(columns))


_AROUND = frozenset(("messages", "conversations", "conversation", "tools"))
_INSTANCE = frozenset(("input", "output"))
_REASONING = frozenset(REASONING_KEYS)
_LOOKED_INTO = _REASONING | FLAG_KEYS
_WITH_PARTS = ("content", "value")
_PART = frozenset((
    "type", "text", "value", "content", "reasoning", "thinking", "thought", "tool_call", "id", "name", "input", "url",
    "arguments", "function", "tool_use_id", "tool_call_id", "call_id", "output", "response", "functionCall", "detail",
    "functionResponse", "toolUse", "toolResult",
    "inlineData", "fileData", "inline_data", "file_data", "image_url", "image", "source", "audio",
    "input_audio", "video", "video_url", "audio_url", "file", "path", "signature", "refusal", "toolCallId", "toolName",
    "args", "result", "tool_name",
))  # fmt: skip
"""Keys of content parts that are read, or that belong to the media that a turn is marked with."""


def _remember(done: set[tuple[str, ...]], names: tuple[str, ...]) -> None:
    if len(done) < _MOST_REMEMBERED:
        done.add(names)


def _note(names: dict[str, bool], name: str, value: Any, sample: Sample, *, telling: bool = False) -> bool:
    """Notes a name; it is meaningful for good once it holds what the sample does not say anyway.

    Returns:
        Whether further rows change nothing.
    """
    telling = telling or _is_telling(name, value, sample)
    names[name] = names.get(name, False) or (telling and not _said_anyway(value, sample))
    return names[name] or not telling


def _is_class(name: str, value: Any) -> bool:
    named = name in _CLASSES or name.startswith("label_") or name.endswith("label")
    return named and isinstance(value, (str, int, float)) and len(str(value)) <= _MOST_CLASS


def _together(names: list[str], where: str, way: str) -> Iterator[str]:
    """One sentence on several names, and what to do."""
    if not names:
        return
    one = len(names) == 1
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    listed = ", ".join(f"`{name[:40]}`" for name in names[:_MOST_NAMED])
    verbs = ("looks", "is") if one else ("look", "are")
    yield (
        f"{listed}{more}{where} {verbs[0]} meaningful but {verbs[1]} not used. {way.format(it='it' if one else 'them')}"
    )


def _short(name: str) -> str:
    return name.lower().strip().replace("-", "_").replace(" ", "_").rpartition(".")[2]


def _filled(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}


def _is_telling(name: str, value: Any, sample: Sample) -> bool:
    """Whether a name looks like something to train on, or like something that says what to train on.

    Args:
        name: of the column or the key of a turn.
        value: what it holds in a row.
        sample: of that row.
    """
    short = _short(name)
    if short in _TELLING or (short in _TAKEN_FOR and short not in _PLAIN):
        return True
    if isinstance(value, Mapping) and not FLAG_KEYS.isdisjoint(value):  # a flag inside a turn's metadata
        return True
    if sample.kind == "text" and short in _TEXTS:  # a second text, such as `code` beside `text`
        return True
    if (short in _SPLITS and _holds_out(value)) or _TURN.fullmatch(short):
        return True
    if _VERDICT.fullmatch(short) or _says_loss(name, value) or (_judges(value) and not _OF_THE_PROMPT.search(short)):
        return True
    if _CHOICES.fullmatch(short):
        return _is_choice(value, sample)
    return bool(_TELLING_PARTS.search(short)) and not _HARMLESS_PARTS.search(short)


def _is_choice(value: Any, sample: Sample) -> bool:
    """Whether a column beside a question is one of the choices, of which the answer is a letter or a number."""
    return isinstance(value, (str, int, float)) and 0 < len(sample.answer.strip()) <= _MOST_LETTER


def _says_loss(name: str, value: Any) -> bool:
    """Whether a key is a flag, and named as those that say whether a turn is trained on."""
    if isinstance(value, (dict, list)) or flag_number(value) is None:
        return False
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return bool(_LOSS_PARTS.search(words)) and not _OF_A_SPLIT.search(words) and not _HARMLESS_PARTS.search(words)


def _judges(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_CLASS and _word(value) in _JUDGED


def _holds_out(value: Any) -> bool:
    return isinstance(value, str) and _word(value[:_MOST_CLASS]) in _HELD_OUT


def _word(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def _said_anyway(value: Any, sample: Sample) -> bool:
    """Whether all texts of a value stand in the sample already, as a prompt beside whole conversations does."""
    if isinstance(value, (bool, int, float)) or _judges(value) or _holds_out(value):
        return False
    texts = [text.strip() for text in _texts(value) if text.strip()]
    if not texts:
        return False
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    said = (sample.text, *(turn.content for turn in turns), *(turn.reasoning for turn in turns))
    return all(
        any(text in each if len(text) >= _LEAST_SAID else _stands_in(text, each) for each in said) for text in texts
    )


def _stands_in(text: str, whole: str) -> bool:
    """Whether a short text is the whole, a line of it, or a word at its end."""
    return text in whole and bool(re.search(rf"(?:^|(?<=\W)){re.escape(text)}\W*$", whole, re.M))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        turns = turns_in(value) if value[:1] in "[{" else None  # a cell of a CSV file
        if turns is None:
            yield value
        else:
            yield from _texts(turns)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in ROLE_KEYS:
                yield from _texts(each)


def unused_names(rows: Iterable[tuple[Mapping[str, Any], Recognition, Sample | None]]) -> UnusedNames:
    """What the formats of some rows do not read."""
    search = UnusedSearch()
    for row, recognition, sample in rows:
        search.see(row, recognition, sample)
    return search.found()
