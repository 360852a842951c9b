"""What the data says of the loss of a turn, in the spellings of the tools that write such flags.

| key | of | means |
|---|---|---|
| `weight` | OpenAI, Fireworks | 0: no loss |
| `train`, `training` | axolotl (`message_field_training`) | false: no loss |
| `train_detail` | axolotl (`message_field_training_detail`) | spans with and without loss, both ends included |
| `loss`, `loss_scale` | LLaMA-Factory, ms-swift, slime | false or 0: no loss |
| `loss_mask`, `trainable` | verl | 0 or false: no loss |
| `masked` | torchtune | true: no loss |
| `mask` | several | true: no loss; a file that also marks the user's turns shows which way it means |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.dataset.formats.decode import decoded
from core.dataset.records import Unreadable, json_type

TRAINED_KEYS = (
    "train", "trained", "training", "trainable", "is_trainable", "train_on_turn", "loss", "loss_mask", "train_mask",
    "compute_loss", "calculate_loss", "weight", "loss_weight", "loss_scale",
)  # fmt: skip
"""Keys whose true or 1 means that the turn carries loss."""

MASKED_KEYS = ("masked", "ignore_loss", "no_loss", "exclude_from_loss")
"""Keys whose true or 1 means that it carries none."""

MASK_KEY = "mask"
SPANS_KEY = "train_detail"
FLAG_KEYS = frozenset((*TRAINED_KEYS, *MASKED_KEYS, MASK_KEY, SPANS_KEY))

_WORDS = {
    **dict.fromkeys(("true", "yes", "y", "on", "t"), 1.0),
    **dict.fromkeys(("false", "no", "n", "off", "f"), 0.0),
}


@dataclass(frozen=True, slots=True)
class TurnLoss:
    """What is said of one turn.

    Attributes:
        weight: its loss weight; 0 for none.
        untrained: spans of its text without loss, the end not included.
    """

    weight: float = 1.0
    untrained: tuple[tuple[int, int], ...] = ()


TRAINED = TurnLoss()


def flag_number(value: Any) -> float | None:
    """What a flag says as a number: true is 1, `"0"` is 0; None where it is no flag."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text or value) if isinstance(value, (bool, int, float, str)) else None
    except (ValueError, OverflowError):  # words, or a whole number of hundreds of digits
        return None


def turn_loss(turn: Mapping[str, Any], *, mask_trains: bool = False) -> TurnLoss:
    """The loss of an assistant turn by its own flags; where they disagree, the smallest weight counts.

    Args:
        turn: as the data holds it.
        mask_trains: whether `mask` true means that the turn carries loss (`mask_trains` of the row).

    Raises:
        Unreadable: a flag that cannot be understood, by name.
    """
    if FLAG_KEYS.isdisjoint(turn):
        return TRAINED
    weights = [1.0]
    for key in turn.keys() & FLAG_KEYS:
        value = turn[key]
        if value is None or value == "" or key == SPANS_KEY:
            continue
        said = flag_number(value)
        if said is None or said < 0 or said != said:
            raise Unreadable(f"`{key}` should be true or false, 0 or 1, but it is {_shown(value)}")
        if key in MASKED_KEYS or (key == MASK_KEY and not mask_trains):
            said = 0.0 if said else 1.0
        weights.append(said)
    weight = next((each for each in weights if each != 1), 1.0) if 0.0 not in weights else 0.0
    spans = turn.get(SPANS_KEY)
    return TurnLoss(weight, _spans(spans)) if spans else (TRAINED if weight == 1 else TurnLoss(weight))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value[:40])
    return str(value) if isinstance(value, (int, float)) else json_type(value)


def mask_trains(turns: Sequence[Any], answers: Sequence[bool]) -> bool:
    """Whether `mask` means "carries loss" in a conversation, as its other turns show.

    Args:
        turns: as the data holds them.
        answers: for each, whether it is the assistant's.
    """
    marked = [
        (bool(said), answer)
        for turn, answer in zip(turns, answers, strict=False)
        if isinstance(turn, Mapping) and (said := flag_number(turn.get(MASK_KEY))) is not None
    ]
    asked = [said for said, answer in marked if not answer]
    return bool(asked) and not any(asked) and any(said for said, answer in marked if answer)


def _spans(value: Any) -> tuple[tuple[int, int], ...]:
    if isinstance(value, str):
        value = decoded(value)
    if not isinstance(value, list):
        raise Unreadable(f"`{SPANS_KEY}` should be a list of spans, but it is {json_type(value)}")
    spans: list[tuple[int, int]] = []
    for number, span in enumerate(value, 1):
        start, end, trains = _span(span)
        if start is None or end is None or trains not in (0.0, 1.0) or not 0 <= start <= end + 1:
            raise Unreadable(f"span {number} of `{SPANS_KEY}` needs `begin_offset`, `end_offset` and `train`")
        if not trains and end >= start:
            spans.append((start, end + 1))
    return tuple(sorted(spans))


def _span(value: Any) -> tuple[int | None, int | None, float | None]:
    """First and last character of a span, and whether it carries loss; None for what is no number."""
    if not isinstance(value, Mapping):
        return None, None, None
    ends = (value.get("begin_offset"), value.get("end_offset"))
    first, last = (end if isinstance(end, int) and not isinstance(end, bool) else None for end in ends)
    return first, last, flag_number(value.get("train"))


def fitting_spans(spans: tuple[tuple[int, int], ...], text: str) -> tuple[tuple[int, int], ...]:
    """The spans, once it is sure that they lie in the text.

    Raises:
        Unreadable: one ends beyond it.
    """
    # Tools that count the end as not included write the length of the text as the last end.
    beyond = next(((start, end) for start, end in spans if start >= len(text) or end > len(text) + 1), None)
    if beyond is not None:
        raise Unreadable(f"`{SPANS_KEY}` marks characters {beyond[0]} to {beyond[1] - 1}, but the text has {len(text)}")
    return tuple((start, min(end, len(text))) for start, end in spans)


def row_losses(value: Any, turns: Sequence[Any], answers: Sequence[bool], column: str) -> list[TurnLoss]:
    """The loss of each turn by what a column says of the whole row.

    Args:
        value: one flag for all answers, a list with one for each turn or each answer, or the name of the speaker
            whose turns are masked (NeMo's `mask`).
        turns: as the data holds them.
        answers: for each, whether it is the assistant's.
        column: its name.

    Raises:
        Unreadable: it cannot be understood, by name.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = decoded(value)
    masks = column.lower() in (MASK_KEY, *MASKED_KEYS)
    if isinstance(value, list):
        said = [flag_number(each) for each in value]
        if len(said) == len(turns):
            spoken = said
        elif len(said) == sum(answers):
            each = iter(said)
            spoken = [next(each) if answer else 1.0 for answer in answers]
        else:
            raise Unreadable(f"`{column}` has {len(said)} entries, but the conversation has {len(turns)} turns")
        if any(number is None or number < 0 for number in spoken):
            raise Unreadable(f"`{column}` should be a list of 0 and 1")
        if masks and len(said) == len(turns):
            pairs = list(zip(spoken, answers, strict=True))
            asked = [number for number, answer in pairs if not answer]
            masks = not (asked and not any(asked) and any(number for number, answer in pairs if answer))
        return [TurnLoss(_weight(number, masks)) for number in spoken]
    if column.lower() == MASK_KEY and isinstance(value, str) and flag_number(value) is None:
        speaker = value.strip().lower()
        names = [
            str(turn.get("from", turn.get("role", ""))).lower() if isinstance(turn, Mapping) else "" for turn in turns
        ]
        if speaker not in names:
            raise Unreadable(f"`{column}` names {value[:40]!r}, which is not a role in this conversation")
        return [TurnLoss(0.0 if name == speaker else 1.0) for name in names]
    number = flag_number(value)
    if number is None or number < 0:
        raise Unreadable(f"`{column}` should be 0 or 1 for the row or each turn, but it is {json_type(value)}")
    return [TurnLoss(_weight(number, masks))] * len(turns)


def _weight(number: float | None, masks: bool) -> float:
    if masks:
        return 0.0 if number else 1.0
    return 1.0 if number is None else number
