"""The files of a model on this machine: where it is, what its config, weights and tokenizer say. No torch.

Weights are read from safetensors headers alone: names, types and shapes of the tensors, never the tensors. Only where
bitsandbytes has packed a matrix into 4 bits, the few bytes beside it that tell its shape are read as well.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.errors import BadInput
from core.paths import SAMPLE_DATA

DEMO = SAMPLE_DATA / "tiny_base"
"""The base model that ships with tunedeck."""

DEMO_TITLE = "tiny base (demo)"
"""What lists call it; a recipe may name it so as well."""

_ADAPTER = "adapter_config.json"
_LFS = b"version https://git-lfs"
_HEADER_LIMIT = 100_000_000
"""The longest header that safetensors itself accepts, in bytes."""

_PACKED = re.compile(r"(.+)\.quant_state\.bitsandbytes__(nf4|fp4)")
"""The tensor that tells how bitsandbytes packed another one: JSON as bytes."""
_PACKED_LIMIT = 4_096

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_WITHOUT_OWNER = frozenset(("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2", "openai-gpt"))
"""The language models that the Hub published before model IDs had an owner, and still finds by these names."""
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json")


class NotDownloaded(BadInput):
    """A Hub model that is not on this machine; it is downloaded when the run starts."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a safetensors file: its type in safetensors' words (`BF16`) and its shape.

    A matrix that is packed into 4 bits has the type `NF4` or `FP4`, and the shape that it is computed with.
    """

    dtype: str
    shape: tuple[int, ...]


def is_hub_name(path: str) -> bool:
    """Whether a path looks like a Hub model ID, `org/name`; a folder may have such a name as well."""
    return bool(_HUB_NAME.fullmatch(path))


def can_be_downloaded(path: str) -> bool:
    """Whether the Hub may have a model of this name: `org/name`, or one of the few old ones without an owner."""
    return is_hub_name(path) and ("/" in path or path in _WITHOUT_OWNER)


def find(path: str, revision: str = "") -> Path:
    """The folder on this machine that holds the model; never asks the network.

    Args:
        path: a folder, or a Hub model ID, which is looked up in the Hub cache.
        revision: branch, tag or commit of a Hub model; "" is `main`.

    Raises:
        NotDownloaded: a Hub model ID that is not in the cache.
        BadInput: no such folder, and no name that the Hub can have.
    """
    folder = Path(path).expanduser()
    refuse_no_base(folder)
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise BadInput("is a file, not a model folder", where=clean_line(path), do="Use the folder it is in")
    if not is_hub_name(path):
        raise BadInput("There is no such folder", where=clean_line(path), do="Check the path of the model")
    cached = hub_cache() / f"models--{path.replace('/', '--')}"
    wanted = revision or "main"
    try:
        commit = (cached / "refs" / wanted).read_text().strip()
    except (OSError, ValueError):
        commit = wanted
    snapshot = cached / "snapshots" / commit
    if (snapshot / "config.json").exists():
        return snapshot
    if not cached.is_dir() and not can_be_downloaded(path):
        raise BadInput(
            "There is no such folder, and no such model on this machine",
            where=clean_line(path),
            do="Write a Hub model ID with its owner (org/name), or the path of a folder",
        )
    raise NotDownloaded(
        "is not on this machine yet; it will be downloaded when the run starts, and its memory is unknown until then",
        where=clean_line(path),
    )


def is_here(path: str, revision: str = "") -> bool:
    """Whether all that is loaded of a model is on this machine: its weights, none of them missing, and a tokenizer."""
    try:
        folder = find(path, revision)
        return bool(_weight_files(folder)) and has_tokenizer(folder)
    except (BadInput, OSError):
        return False


def refuse_no_base(path: Path) -> None:
    """Refuses what looks like a model and cannot be trained: an adapter, or GGUF weights; a folder or a file of them.

    Everybody who is given a model asks this first, so that all say the same.

    Raises:
        BadInput: what it is, and what to use instead.
    """
    folder = path if path.is_dir() else path.parent
    adapter = (folder / _ADAPTER).exists() if path.is_dir() else path.name.startswith("adapter_")
    gguf = any(path.glob("*.gguf")) if path.is_dir() else path.suffix == ".gguf" and path.is_file()
    if path.is_dir() and ((path / "config.json").exists() or not (adapter or gguf)):
        return  # its weights are looked at where they are read
    if adapter and path.exists():
        raise _is_adapter(folder)
    if gguf:
        raise _is_gguf(path)


def _is_adapter(folder: Path) -> BadInput:
    config = _json_file(folder / _ADAPTER) or {}
    base = config.get("base_model_name_or_path")
    of = f", {clean_line(base, 120)}" if isinstance(base, str) and base else ""
    return BadInput(
        "This is an adapter, not a model", where=str(folder), do=f"Use the base model it was trained on{of}"
    )


def _is_gguf(path: Path) -> BadInput:
    return BadInput(
        "GGUF weights cannot be trained", where=str(path), do="Use the original model in safetensors format"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The model's `config.json`.

    Raises:
        BadInput: where it is missing or is not a JSON object.
    """
    config = _json_file(folder / "config.json")
    if config is None:
        raise BadInput("The folder has no config.json", where=str(folder), do="Use a model folder")
    if "model_type" not in config and "architectures" not in config:
        raise BadInput(
            "has no model_type", where=str(folder / "config.json"), do="Use the config.json that came with the model"
        )
    return config


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Name, type and shape of every tensor in the folder's safetensors files.

    Raises:
        BadInput: where there are no weights, only pickled ones, an LFS pointer, or a file is missing or cut short.
    """
    tensors: dict[str, Tensor] = {}
    packed: dict[str, Tensor] = {}
    for file in _weight_files(folder):
        header = _header(file)
        for name, entry in header.items():
            if name != "__metadata__":
                tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]))
        packed |= _packed(file, header)
    if not tensors:
        raise BadInput("The weight files contain no weights", where=str(folder), do="Download the model again")
    return tensors | {name: tensor for name, tensor in packed.items() if name in tensors}


def zero_rows(folder: Path, matrix: str, rows: Sequence[int]) -> set[int]:
    """Which rows of a matrix hold nothing but zeros (below 1e-16), as those of tokens that were never trained on do.

    Args:
        folder: of the model.
        matrix: its name, without `.weight`.
        rows: their numbers.

    Returns:
        Their numbers; none where the files cannot be read or hold another type than BF16, F16 and F32.
    """
    name = f"{matrix}.weight"
    try:
        for file in _weight_files(folder) if rows else ():
            header = _header(file)
            if name not in header:
                continue
            entry = header[name]
            width = {"BF16": 2, "F16": 2, "F32": 4}[entry["dtype"]] * entry["shape"][1]
            with file.open("rb") as stream:
                start = 8 + int.from_bytes(stream.read(8), "little") + entry["data_offsets"][0]
                found = set()
                for row in {row for row in rows if row < entry["shape"][0]}:
                    stream.seek(start + row * width)
                    if _near_zero(stream.read(width), entry["dtype"]):
                        found.add(row)
                return found
    except (BadInput, OSError, KeyError, IndexError):
        pass  # whoever loads the weights says so
    return set()


def _near_zero(row: bytes, dtype: str) -> bool:
    """Whether all numbers of a row are below 1e-16: by the exponents alone."""
    if dtype == "F16":
        return not any(high & 0x7F or low for low, high in zip(row[::2], row[1::2], strict=True))
    step = 2 if dtype == "BF16" else 4
    # The upper 16 bits of a float32 are a sign, 8 bits of exponent and 7 of the fraction: 2**-54 is 5.6e-17.
    tops = zip(row[step - 2 :: step], row[step - 1 :: step], strict=True)
    return all(((high & 0x7F) << 1 | low >> 7) < 127 - 53 for low, high in tops)


def has_tokenizer(folder: Path) -> bool:
    """Whether the folder holds a tokenizer."""
    return any((folder / name).is_file() for name in _TOKENIZERS)


def read_template(folder: Path) -> str:
    """The model's own chat template, or "" where it has none.

    Raises:
        BadInput: where its file cannot be read.
    """
    file = folder / "chat_template.jinja"
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        pass  # older models keep it in a JSON file
    except ValueError as error:
        raise BadInput("is not UTF-8 text", where=str(file), do="Download the model again") from error
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = (_json_file(folder / name) or {}).get("chat_template")
        if isinstance(template, str):
            return template
        if isinstance(template, list):
            named = [entry for entry in template if isinstance(entry, Mapping) and entry.get("name") == "default"]
            return str(named[-1].get("template", "")) if named else ""
    return ""


def hub_cache() -> Path:
    """The Hub cache as huggingface_hub finds it: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME, ~/.cache."""
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or cache / "huggingface").expanduser() / "hub"


def _weight_files(folder: Path) -> list[Path]:
    index = _json_file(folder / "model.safetensors.index.json")
    if index is not None:
        placed = index.get("weight_map")
        if not isinstance(placed, Mapping) or not placed:
            where = str(folder / "model.safetensors.index.json")
            raise BadInput("lists no weight files", where=where, do="Download the model again")
        names = sorted({str(name) for name in placed.values()})
        missing = [name for name in names if not (folder / name).exists()]
        if missing:
            raise BadInput(
                f"{len(missing)} of {len(names)} weight files are missing, the first is {clean_line(missing[0])}",
                where=str(folder),
                do="Download the model again",
            )
        return [folder / name for name in names]
    files = sorted(folder.glob("*.safetensors"))
    single = folder / "model.safetensors"
    if single in files:
        return [single]
    files = [file for file in files if not file.name.startswith("adapter_")]
    if files:
        return files
    if (folder / _ADAPTER).exists():
        raise _is_adapter(folder)
    if any(folder.glob("*.bin")) or any(folder.glob("*.pth")):
        raise BadInput(
            "The weights are pickled (.bin) and could run code when loaded, so they are not loaded",
            where=str(folder),
            do="Convert them to safetensors",
        )
    if any(folder.glob("*.gguf")):
        raise _is_gguf(folder)
    raise BadInput("The folder has no weights (*.safetensors)", where=str(folder), do="Use a model folder")


def _header(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
            if _LFS.startswith(start) and start:
                raise BadInput(
                    "is a Git LFS pointer, not the weights", where=str(file), do="Run `git lfs pull` in that folder"
                )
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= _HEADER_LIMIT:
                raise BadInput("is not a safetensors file", where=str(file), do="Download the model again")
            header = json.loads(stream.read(length))
            tensors = [_entry(entry) for name, entry in header.items() if name != "__metadata__"]
            end = 8 + length + max((entry["data_offsets"][1] for entry in tensors), default=0)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(file), do="Check its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadInput("has a broken header", where=str(file), do="Download the model again") from error
    if size < end:
        raise BadInput(f"is truncated: {size:,} of {end:,} bytes", where=str(file), do="Download the model again")
    checked: dict[str, Any] = header
    return checked


def _entry(entry: Any) -> Mapping[str, Any]:
    """What a header says of a tensor, if it has the form that safetensors gives it.

    Raises:
        ValueError: it has another.
    """
    numbers = [*entry["shape"], *entry["data_offsets"]]
    if not isinstance(entry["dtype"], str) or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("no tensor")
    found: Mapping[str, Any] = entry
    return found


def _packed(file: Path, header: Mapping[str, Any]) -> dict[str, Tensor]:
    """The matrices that are packed into 4 bits, by what this file tells of them."""
    found: dict[str, Tensor] = {}
    with file.open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
        for name, entry in header.items():
            match = _PACKED.fullmatch(name)
            begin, end = entry["data_offsets"] if match else (0, 0)
            if match is None or not 0 < end - begin <= _PACKED_LIMIT:
                continue
            stream.seek(start + begin)
            try:
                shape = json.loads(stream.read(end - begin))["shape"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape):
                found[match[1]] = Tensor(match[2].upper(), tuple(shape))
    return found


def _json_file(file: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is no file."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(file), do="Check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise BadInput("is not JSON", where=str(file), do="Download the model again") from error
    if not isinstance(value, Mapping):
        raise BadInput("is not a JSON object", where=str(file), do="Download the model again")
    return dict(value)
