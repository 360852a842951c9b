"""Which parts of a model a kind of adapter reaches, as the fields of its section say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What is adapted.

    Attributes:
        path: the field that names the targets, `lora.targets`.
        targets: names of layers, regular expressions between slashes, or `all-linear`.
        exclude: names and expressions of layers that get none.
        layers: numbers of the transformer layers that are adapted (`0-7`, `last 8`); empty for all.
        experts: whether it reaches fused experts by the names of the layers in them.
        parameters: names of weights that are adapted beside modules, `mlp.experts.gate_up_proj`.
        whole: modules that are trained whole and saved with the adapter.
        linear: whether the targets are linear layers; else they are any modules with weights, such as norms.
    """

    path: str
    targets: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    experts: bool = False
    parameters: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    linear: bool = True

    @property
    def every(self) -> bool:
        """Whether every linear layer is a target."""
        return "all-linear" in self.targets

    @property
    def plain(self) -> bool:
        """Whether peft understands the targets as they are written."""
        return not (self.exclude or self.layers or any(name.startswith("/") for name in self.targets))

    @property
    def section(self) -> str:
        """The section of its fields."""
        return self.path.rpartition(".")[0]
