"""Adapter layers: a small network with a bottleneck after a layer's output. PEFT has none; this is our own.

Once it is in PEFT's tables (`register`), PEFT puts it in, saves and loads it like its own. It cannot be merged: the
network in the middle is not linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from peft import mapping
from peft.config import PeftConfig
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import nn

NAME = "BOTTLENECK"
"""Its `peft_type`, as `adapter_config.json` has it."""

_ACTIVATIONS = {"gelu": nn.functional.gelu, "relu": nn.functional.relu, "silu": nn.functional.silu}


@dataclass
class BottleneckConfig(PeftConfig):
    """PEFT's configuration of adapter layers.

    Attributes:
        target_modules: names of the linear layers after which one is put.
        exclude_modules: names of those that get none.
        modules_to_save: modules that are trained whole.
        width: of the narrow middle.
        activation: the function in it: `gelu`, `relu` or `silu`.
    """

    target_modules: list[str] | str | None = None
    exclude_modules: list[str] | str | None = None
    modules_to_save: list[str] | None = None
    width: int = 64
    activation: str = field(default="gelu")

    def __post_init__(self) -> None:
        """Sets PEFT's type."""
        super().__post_init__()
        self.peft_type = NAME


class Bottleneck(nn.Module):
    """Down to the narrow middle, a function, and up again; adds nothing before it is trained.

    Args:
        features: of the layer that it comes after.
        width: of the middle.
        activation: the function.
    """

    def __init__(self, features: int, width: int, activation: str) -> None:
        super().__init__()
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)
        self.activation = activation
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, output: torch.Tensor) -> torch.Tensor:
        """What is added to an output of shape `(..., features)`, in its type."""
        inner = _ACTIVATIONS[self.activation](self.down(output.to(self.down.weight.dtype)))
        added: torch.Tensor = self.up(inner)
        return added.to(output.dtype)


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A layer with adapter layers after it, by the name of their adapter."""

    adapter_layer_names = ("bottleneck_layers",)

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bottleneck_layers = nn.ModuleDict({})
        self._disable_adapters = False
        self.merged_adapters: list[str] = []

    def update_layer(self, adapter_name: str, config: BottleneckConfig) -> None:
        """Adds one."""
        layer: Any = self.base_layer
        features = layer.out_features if hasattr(layer, "out_features") else layer.nf  # GPT-2's layers
        self.bottleneck_layers[adapter_name] = Bottleneck(int(features), config.width, config.activation)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, *arguments: Any, **names: Any) -> torch.Tensor:
        """The layer's output, and what each active adapter adds to it."""
        output: torch.Tensor = self.base_layer(*arguments, **names)
        if self.disable_adapters:
            return output
        for name in self.active_adapters:
            if name in self.bottleneck_layers:
                output = output + self.bottleneck_layers[name](output)
        return output

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Raises: the network is not linear.

        Raises:
            ValueError: always.
        """
        raise ValueError("Adapter layers cannot be merged into the model: the network in them is not linear")


class BottleneckModel(BaseTuner):
    """Puts adapter layers into a model, as PEFT's own methods do."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, list[str]] = {}

    def _create_and_replace(
        self,
        config: BottleneckConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        **_: Any,
    ) -> None:
        if isinstance(target, BottleneckLayer):
            target.update_layer(adapter_name, config)
            return
        layer = BottleneckLayer(target)
        layer.update_layer(adapter_name, config)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(requires_grad=False)
        self._replace_module(parent, target_name, layer, target)


def register() -> None:
    """Adds the method to PEFT's tables; again does nothing.

    PEFT's own `register_peft_method` takes only types of its enumeration; in its tables a type is its string.
    """
    mapping.PEFT_TYPE_TO_PREFIX_MAPPING[NAME] = BottleneckModel.prefix
    mapping.PEFT_TYPE_TO_CONFIG_MAPPING[NAME] = BottleneckConfig
    mapping.PEFT_TYPE_TO_TUNER_MAPPING[NAME] = BottleneckModel
