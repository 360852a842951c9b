"""Adapters other than LoRA that are put on layers."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.adapters import kinds_with
from core.recipe.declare import knob
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class LayerAdapter:
    """Settings of adapters that sit on layers; each method shows the ones it uses."""

    targets: tuple[str, ...] = knob(
        (),
        title="Target modules",
        help="Which layers get an adapter: names such as o_proj, a regular expression between slashes, or all-linear. "
        "Leave it empty for the method's usual targets.",
        consequence="Fewer targets train fewer parameters and need less memory.",
        when=kinds_with("adapter.targets"),
        witness=reading("adapter_targets"),
    )
    exclude: tuple[str, ...] = knob(
        (),
        title="Exclude modules",
        help="Which target modules to skip: names, or a regular expression between slashes.",
        consequence="Easier than listing every other layer when you want to skip one kind.",
        source="PEFT's exclude_modules",
        advanced=True,
        when=kinds_with("adapter.exclude"),
        witness=reading("adapter_excluded"),
    )
    layers: tuple[str, ...] = knob(
        (),
        title="Layers",
        help="Which transformer layers get an adapter, counted from 0: 0-7, 12, last 8. Leave it empty for all.",
        consequence="Adapting only the last layers saves memory: no backward pass runs below them.",
        advanced=True,
        when=kinds_with("adapter.layers"),
        witness=reading("adapter_layers", lambda recipe: True),
    )
    feedforward: tuple[str, ...] = knob(
        ("down_proj",),
        title="Feed-forward modules",
        help="Targets whose inputs are scaled instead of their outputs, as in the paper.",
        consequence="Trains one factor per input instead of one per output.",
        source="IA3, arXiv 2205.05638, section 3.3",
        advanced=True,
        when=kinds_with("adapter.feedforward"),
        witness=reading("feedforward_layers"),
    )
    rank: int = knob(
        16,
        title="Rank",
        help="The size of the update in each adapted layer. VeRA needs far more than the others: 256 is usual.",
        consequence="Doubling the rank doubles the trainable parameters (VeRA: barely changes them).",
        ge=1,
        le=4096,
        when=kinds_with("adapter.rank"),
        witness=reading("peft_ranks"),
    )
    block_size: int = knob(
        32,
        title="Block size",
        help="The size of the rotated blocks. It must evenly divide the width of every adapted layer.",
        consequence="Larger blocks train more parameters and can change more. 4 to 8 is usual for BOFT.",
        ge=2,
        le=1024,
        when=kinds_with("adapter.block_size"),
        witness=reading("peft_blocks"),
    )
    width: int = knob(
        64,
        title="Width",
        help="The bottleneck width of each adapter layer. 16 to 256 are common.",
        consequence="Doubling the width doubles the trainable parameters.",
        ge=1,
        le=8192,
        source="Houlsby et al., arXiv 1902.00751, section 3.6",
        when=kinds_with("adapter.width"),
        witness=reading("bottleneck_widths"),
    )
    activation: str = knob(
        "gelu",
        title="Activation",
        help="The activation function in the bottleneck.",
        consequence="Makes little difference; GELU is the usual choice.",
        choices={"gelu": "GELU", "relu": "ReLU", "silu": "SiLU"},
        advanced=True,
        when=kinds_with("adapter.activation"),
        witness=reading("bottleneck_activations"),
    )
    modules_to_save: tuple[str, ...] = knob(
        (),
        title="Modules to save",
        help="Modules that are trained in full and saved with the adapter, such as lm_head.",
        consequence="Adds whole matrices to memory and to the adapter file.",
        advanced=True,
        when=kinds_with("adapter.modules_to_save"),
        witness=reading("saved_modules"),
    )
