"""What a model's tokenizer says of itself, read from its files in milliseconds: size, tokens, end. No torch.

Of `tokenizer.json` only the list of added tokens and the vocabulary are read, not the merges, which are most of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.clean import clean_line

_ADDED = re.compile(r'"added_tokens"\s*:\s*(?=\[)')
_VOCABULARY = re.compile(r'"vocab"\s*:\s*(?=[\[{])')
_KIND = re.compile(r'"model"\s*:\s*\{\s*"type"\s*:\s*"([^"]*)"')
_KINDS = frozenset(("BPE", "Unigram", "WordPiece", "WordLevel"))
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_NO_DEFAULTS = frozenset(("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"))
"""Tokenizer classes that have no end token unless a file names one."""


_WORD_PIECE = (
    *("Bert", "DistilBert", "Electra", "MPNet", "MobileBert", "SqueezeBert", "Funnel", "Splinter", "ConvBert"),
    *("LayoutLM", "Lxmert", "RoFormer", "Retribert"),
)
_UNIGRAM = (
    *("Albert", "BigBird", "Barthez", "Camembert", "DebertaV2", "LayoutXLM", "MBart", "MBart50", "Pegasus", "RemBert"),
    *("T5", "Udop", "XGLM", "XLMRoberta", "XLNet"),
)
_KIND_OF_CLASS = {f"{name}Tokenizer": "WordPiece" for name in _WORD_PIECE} | {
    f"{name}Tokenizer": "Unigram" for name in _UNIGRAM
}
"""Tokenizer classes that only load a vocabulary of this kind; most others take any."""


@dataclass(frozen=True, slots=True)
class TokenizerFacts:
    """A tokenizer.

    Attributes:
        size: one more than the highest token ID; 0 where the files do not tell.
        ids: the ID of each added token, and of those in the vocabulary that look like control tokens.
        end: the end-of-sequence token; "" where there is none, None where the files do not tell.
        end_known: whether that token is in the vocabulary.
        fault: which file is wrong and how, without a period, or "".
        mend: what to do about it, a sentence; "" for downloading it again.
    """

    size: int = 0
    ids: Mapping[str, int] | None = None
    end: str | None = None
    end_known: bool = True
    fault: str = ""
    mend: str = ""


def read_tokenizer(folder: Path) -> TokenizerFacts:
    """What the tokenizer in a model's folder says of itself; kept until its files change.

    Args:
        folder: of the model.
    """
    return _read(folder, tuple(_stamp(folder / name) for name in ("tokenizer.json", *_BESIDE)))


def unknown_tokens(folder: Path, tokens: Sequence[str]) -> tuple[str, ...]:
    """Those of some tokens that the tokenizer does not have; none where its files do not tell.

    Args:
        folder: of the model.
        tokens: as the vocabulary spells them.
    """
    try:
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        vocabulary = _part(text, _VOCABULARY)
    except (OSError, ValueError, RecursionError):
        return ()
    if not vocabulary:
        return ()
    known = {str(piece[0]) for piece in vocabulary if piece} if isinstance(vocabulary, list) else set(vocabulary)
    known |= set(read_tokenizer(folder).ids or ())
    return tuple(token for token in tokens if token not in known)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        state = os.stat(file)
    except OSError:
        return (0, 0)
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=16)
def _read(folder: Path, stamps: tuple[tuple[int, int], ...]) -> TokenizerFacts:
    if fault := _fault_beside(folder):
        return TokenizerFacts(fault=fault)
    if not (folder / "tokenizer.json").is_file():
        return TokenizerFacts()
    try:
        text = (folder / "tokenizer.json").read_text(encoding="utf-8").strip()
        if text.startswith("version https://git-lfs"):
            return TokenizerFacts(fault="tokenizer.json is a Git LFS pointer")
        if not (text.startswith("{") and text.endswith("}")):
            return TokenizerFacts(fault="tokenizer.json is truncated or not JSON")
        if (kind := _KIND.search(text)) and kind[1] not in _KINDS:
            return TokenizerFacts(fault=f"tokenizer.json is of an unknown kind, {clean_line(kind[1], 40)}")
        if kind and (misfit := _misfit(folder, kind[1])):
            return misfit
        added, vocabulary = _part(text, _ADDED), _part(text, _VOCABULARY)
        ids = {str(token["content"]): int(token["id"]) for token in added or ()} | _beside(folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return TokenizerFacts(fault="tokenizer.json cannot be read")
    if not vocabulary:
        return TokenizerFacts(fault="" if text == "{}" else "tokenizer.json has no vocabulary")
    if isinstance(vocabulary, list):  # unigram: pieces with their scores, an ID each by its place
        known = {str(piece[0]): place for place, piece in enumerate(vocabulary) if isinstance(piece, list) and piece}
    else:
        known = {token: place for token, place in vocabulary.items() if type(place) is int}
    size = max((*known.values(), *ids.values()), default=-1) + 1
    control = {token: place for token, place in known.items() if token[:1] in "<[" and token[-1:] in ">]"}
    end = _end(folder)
    return TokenizerFacts(size, {**control, **ids}, end, not end or end in known or end in ids)


def _misfit(folder: Path, kind: str) -> TokenizerFacts | None:
    """What is wrong where the class that reads the vocabulary only knows another kind: transformers would crash.

    Args:
        folder: of the model.
        kind: of `tokenizer.json`: `BPE`, `Unigram` and so on.
    """
    named = str(_object(folder / "tokenizer_config.json").get("tokenizer_class") or "").removesuffix("Fast")
    wanted = _KIND_OF_CLASS.get(named, kind)
    if wanted == kind:
        return None
    fault = f"tokenizer_config.json names {named}, which reads {wanted} vocabularies, but tokenizer.json is {kind}"
    return TokenizerFacts(
        fault=fault, mend="Set tokenizer_class in tokenizer_config.json to TokenizersBackend, or use the model's own."
    )


def _fault_beside(folder: Path) -> str:
    """What is wrong with the files beside `tokenizer.json`, which transformers reads as well."""
    for name in _BESIDE:
        try:
            said = json.loads((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except OSError:
            return f"{name} cannot be read"
        except (ValueError, RecursionError):
            return f"{name} is not JSON"
        if not isinstance(said, Mapping):
            return f"{name} is not a JSON object"
    return ""


def _beside(folder: Path) -> dict[str, int]:
    """Added tokens that other files name: transformers adds them as well."""
    told = _object(folder / "added_tokens.json")
    found = {token: place for token, place in told.items() if type(place) is int}
    decoder = _object(folder / "tokenizer_config.json").get("added_tokens_decoder")
    for place, token in decoder.items() if isinstance(decoder, Mapping) else ():
        if isinstance(token, Mapping) and str(place).isdigit():
            found[str(token.get("content"))] = int(place)
    return found


def _object(file: Path) -> Mapping[str, Any]:
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, Mapping) else {}


def _part(text: str, where: re.Pattern[str]) -> Any:
    match = where.search(text)
    return json.JSONDecoder().raw_decode(text, match.end())[0] if match else None


def _end(folder: Path) -> str | None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        said = _object(folder / name)
        token = said.get("eos_token")
        if isinstance(token, Mapping):
            token = token.get("content")
        if isinstance(token, str) and token:
            return token
        if "eos_token" in said or said.get("tokenizer_class") in _NO_DEFAULTS:
            found = _end_of_map(folder) if name == "tokenizer_config.json" else None
            return found or ""
    return None


def _end_of_map(folder: Path) -> str | None:
    token = _object(folder / "special_tokens_map.json").get("eos_token")
    return token.get("content") if isinstance(token, Mapping) else token
