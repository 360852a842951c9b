"""The special tokens of a model's tokenizer, read from its files: what a text must not hold by accident. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.recipe import model_files

_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_LISTS = ("additional_special_tokens", "extra_special_tokens")
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_PIECE = 1 << 20
"""Characters of `tokenizer.json` in which its added tokens are looked for before all of it is read."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The special tokens of a tokenizer.

    Attributes:
        tokens: as they are written in text, sorted; empty where they are not known.
        begin: the token that begins a text, or "".
        end: the token that ends one, or "".
    """

    tokens: tuple[str, ...] = ()
    begin: str = ""
    end: str = ""


def special_tokens(path: str, revision: str = "") -> SpecialTokens:
    """The special tokens of a model; none where it is not on this machine: then the worker finds them.

    Args:
        path: the recipe's `model.path`.
        revision: its `model.revision`.
    """
    if not path:
        return SpecialTokens()
    try:
        folder = model_files.find(path, revision)
        stamps = tuple(
            stat.st_mtime_ns for stat in (file.stat() for file in map(folder.joinpath, _FILES) if file.exists())
        )
    except (BadInput, OSError):
        return SpecialTokens()
    return _read(folder, stamps)


@lru_cache(maxsize=16)
def _read(folder: Path, stamps: tuple[int, ...]) -> SpecialTokens:
    """The tokens of a folder; `stamps` are the times of its files, so that a changed one is read again."""
    config, named = _object(folder / "tokenizer_config.json"), _object(folder / "special_tokens_map.json")
    both = {**named, **config}
    found = {*_added(folder / "tokenizer.json"), *_of(named), *_of(config)}
    return SpecialTokens(tuple(sorted(found)), _text(both.get("bos_token")), _text(both.get("eos_token")))


def _added(path: Path) -> Iterator[str]:
    """The special ones among the added tokens of a `tokenizer.json`, which stand near its beginning."""
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_PIECE)
            try:
                added = _added_in(text)
            except (ValueError, RecursionError):
                added = _added_in(text + stream.read())
    except (OSError, ValueError, RecursionError):
        return
    for token in added if isinstance(added, list) else ():
        if isinstance(token, Mapping) and token.get("special"):
            yield _text(token)


def _added_in(text: str) -> Any:
    name = '"added_tokens"'
    at = text.index(name) + len(name)
    start = text.index(":", at) + 1
    return json.JSONDecoder().raw_decode(text, start + len(text[start:]) - len(text[start:].lstrip()))[0]


def _of(value: Mapping[str, Any]) -> Iterator[str]:
    for name in _NAMED:
        if text := _text(value.get(name)):
            yield text
    for name in _LISTS:
        tokens = value.get(name)
        tokens = list(tokens.values()) if isinstance(tokens, Mapping) else tokens
        yield from filter(None, map(_text, tokens if isinstance(tokens, list) else ()))
    decoder = value.get("added_tokens_decoder")
    for token in decoder.values() if isinstance(decoder, Mapping) else ():
        if isinstance(token, Mapping) and token.get("special"):
            yield _text(token)


def _text(token: Any) -> str:
    """A token, written as text or as an object with its content."""
    if isinstance(token, Mapping):
        token = token.get("content")
    return token if isinstance(token, str) else ""


def _object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
