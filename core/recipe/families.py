"""Model families: what each `model_type` is, and what the names of its weights mean. No torch.

The list, `model_families.json`, is made by `python -m tests.kit.model_families` from the transformers that is
installed: it builds each family without memory and looks. A test says when the list is stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from core.clean import clean_line

FILE = Path(__file__).with_name("model_families.json")

Kind = Literal["causal", "multimodal", "encoder", "encoder-decoder", "hears", "other", "unknown"]
"""`multimodal` has a causal language model within; `hears` turns sound into text; `unknown` is not in the list."""

_NUMBER = re.compile(r"\.\d+(?=\.|$)")
_EMBEDDING = re.compile(r"(^|\.)(embed_tokens|wte|wpe|word_embeddings|embed_in|embed_positions|tok_embeddings)$")
_HEAD = re.compile(r"(^|\.)(lm_head|embed_out)$|^output$")
_OUTSIDE = re.compile(
    r"(^|\.)(vision_tower|vision_model|vision_encoder|visual|image_encoder|image_tower|video_tower|audio_tower"
    r"|audio_encoder|multi_modal_projector|mm_projector|embed_vision|embed_audio|vision_embed_tokens|connector)\."
)
"""Parts that see or hear, in families that the list does not describe."""
_ROLES = ("embedding", "head", "router", "experts", "transposed", "other", "buffer")
_ATTENTION = frozenset(("attention", "full_attention", "sliding_attention", "chunked_attention"))


@dataclass(frozen=True, slots=True)
class Family:
    """A model type.

    Attributes:
        name: as config.json says it.
        kind: what it is.
        recurrent: whether layers carry a state from token to token, which packed samples would share.
        text_only: whether only the language model is loaded from weights that also have other parts.
        fused: weights that hold all experts of a layer, with the layer names that peft takes for each.
        refused: names of layers that peft does not adapt in this family.
        roles: what names of weights mean: `embedding`, `head`, `router`, `experts`, `transposed`, `other`.
        outside: beginnings of names that do not belong to the language model.
        renamed: names of layers that are called otherwise once loaded.
        inexact: whether counts from the stored names are not those of the loaded model, as where layers are shared.
        misses_loss: whether TRL's loss is not the model's own, because it leaves out part of the output layer.
        needs_images: whether it computes nothing from text alone.
    """

    name: str
    kind: Kind
    recurrent: bool = False
    text_only: bool = False
    fused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    inexact: bool = False
    misses_loss: bool = False
    needs_images: bool = False

    def role(self, weight: str) -> str:
        """What a weight is, by its name without `.weight`; "" for a linear layer of the language model."""
        bare = f"{pattern(weight).removeprefix('model.')}."
        if any(bare.startswith(f"{start.removeprefix('model.')}.") for start in self.outside):
            return "outside"
        if not self.outside and _OUTSIDE.search(weight):
            return "outside"
        if role := self._told(weight, self.roles):
            return role
        if _HEAD.search(weight):
            return "head"
        return "embedding" if _EMBEDDING.search(weight) else ""

    def loaded_name(self, weight: str) -> str:
        """The name of a layer once it is loaded."""
        leaf = self._told(weight, self.renamed) if self.renamed else ""
        return f"{weight.rpartition('.')[0]}.{leaf}" if leaf else weight

    @staticmethod
    def _told(weight: str, table: Mapping[str, str]) -> str:
        """What a table says of a name, by any of its ends."""
        parts = pattern(weight).split(".")
        ends = (".".join(parts[start:]) for start in range(len(parts)))
        return next((table[end] for end in ends if end in table), "")


def pattern(name: str) -> str:
    """A weight's name with `#` in place of the numbers of layers and experts."""
    return _NUMBER.sub(".#", name)


@cache
def families() -> Mapping[str, Mapping[str, Any]]:
    """The list: by model type, what was found."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["families"]
    return found


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a model by its `config.json`."""
    name = str(config.get("model_type", ""))
    family = _family(name)
    sizes = config["text_config"] if isinstance(config.get("text_config"), Mapping) else config
    kind = family.kind
    if kind == "encoder" and config.get("is_decoder") is True:
        kind = "causal"
    elif kind == "causal" and config.get("is_encoder_decoder") is True:
        kind = "encoder-decoder"
    layers = sizes.get("layer_types") or sizes.get("layers_block_type")
    recurrent = family.recurrent and not (isinstance(layers, list) and layers and set(map(str, layers)) <= _ATTENTION)
    if (kind, recurrent) == (family.kind, family.recurrent):
        return family
    return replace(family, kind=kind, recurrent=recurrent)


_INSTEAD = "Choose a model for text generation, such as one of Qwen, Llama or Mistral."


def refusal(family: Family) -> str:
    """Why models of a family cannot be trained, and what can; "" where they can, or where that is not known."""
    name = clean_line(family.name, 60)
    if family.misses_loss:
        return (
            f"TRL computes the loss of {name} models without part of their output layer, so the model would be trained "
            f"on the wrong loss. {_INSTEAD}"
        )
    if family.needs_images:
        return f"{name} models cannot be trained on text alone: each sample needs an image. {_INSTEAD}"
    return {
        "encoder": f"{name} is an encoder: it fills in masked words and cannot generate text. {_INSTEAD}",
        "encoder-decoder": f"{name} is an encoder-decoder model; only decoder-only language models are trained here. "
        f"{_INSTEAD}",
        "hears": f"{name} is a speech model; only models that read text or images are trained here. {_INSTEAD}",
        "other": f"{name} is not a language model. {_INSTEAD}",
    }.get(family.kind, "")


@lru_cache(maxsize=64)
def _family(name: str) -> Family:
    told = families().get(name)
    if told is None:
        return Family(name, "unknown")
    return Family(
        name,
        told["kind"],
        recurrent=bool(told.get("recurrent")),
        text_only=bool(told.get("text_only")),
        fused={fused: tuple(names) for fused, names in told.get("peft_experts", {}).items() if "." not in fused},
        refused=tuple(told.get("refused", ())),
        roles={end: role for role in _ROLES for end in told.get(role, ())},
        outside=tuple(told.get("outside", ())),
        renamed=told.get("renamed", {}),
        inexact=bool(told.get("inexact")),
        misses_loss=bool(told.get("misses_loss")),
        needs_images=bool(told.get("needs_images")),
    )
