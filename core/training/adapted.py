"""What of a model is adapted, frozen and quantized, counted from the model that is about to be trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core import units


@dataclass(frozen=True, slots=True)
class Adapted:
    """Numbers of parameters, and of layers.

    Attributes:
        trained_parameters: those with a gradient.
        parameters: all, adapters included.
        adapted_layers: linear layers with an adapter.
        adapted_experts: fused weights of experts with one.
        expert_parameters: numbers in the experts, adapters not included.
        quantized_parameters: numbers in layers that are kept in 4 or 8 bits.
    """

    trained_parameters: int
    parameters: int
    adapted_layers: int
    adapted_experts: int
    expert_parameters: int
    quantized_parameters: int

    def fields(self) -> dict[str, int]:
        """The numbers by name, for an event."""
        return asdict(self)

    def words(self) -> str:
        """The same in a sentence or two."""
        found = (
            f"{units.short_count(self.trained_parameters)} of {units.short_count(self.parameters)} parameters are "
            "trainable."
        )
        if self.expert_parameters:
            experts = units.short_count(self.expert_parameters)
            if self.adapted_experts:
                found += f" The experts ({experts}) have adapters, the routers do not."
            elif self.adapted_layers:
                found += f" The experts ({experts}) are frozen and have no adapters."
        if self.quantized_parameters:
            found += f" {units.short_count(self.quantized_parameters)} are quantized"
            found += ", the experts are not." if self.expert_parameters else "."
        return found


def count(model: Any) -> Adapted:
    """Counts a model.

    Args:
        model: as the trainer has it, with its adapter if there is one.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    adapters = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    experts = [module for module in adapters if type(module).__name__ == "ParamWrapper"]
    return Adapted(
        trained_parameters=trained,
        parameters=model.num_parameters() if hasattr(model, "num_parameters") else trained,
        adapted_layers=len(adapters) - len(experts),
        adapted_experts=len(experts),
        expert_parameters=sum(
            weight.numel()
            for name, weight in model.named_parameters()
            if ".experts." in f".{name}" and ".lora_" not in name and ".bottleneck_" not in name
        ),
        quantized_parameters=sum(
            module.in_features * module.out_features
            for module in model.modules()
            if type(module).__name__ in ("Linear4bit", "Linear8bitLt")
            and hasattr(module, "in_features")
            and "lora" not in type(module).__module__
        ),
    )
