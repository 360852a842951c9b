"""The adapter: small matrices beside frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.tasks import tasks_with_dropout
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class Lora:
    """The LoRA adapter."""

    rank: int = knob(
        16,
        title="Rank",
        help="The size of the update: each adapted matrix gets two factors of this width. Start with 8 to 16; use 32 "
        "to 64 for hard tasks or a lot of data.",
        consequence="Doubling the rank doubles the trainable parameters.",
        ge=1,
        le=1024,
        source="LoRA, arXiv 2106.09685, section 7.2",
        witness=reading("lora_ranks"),
    )
    alpha: float = knob(
        32.0,
        title="Alpha",
        help="The scale of the update, which is multiplied by alpha / rank (rslora: alpha / sqrt(rank)). Twice the "
        "rank is common.",
        consequence="Doubling alpha acts much like doubling the learning rate.",
        gt=0,
        source="LoRA, arXiv 2106.09685, section 4.1",
        witness=reading("lora_scales", lambda recipe: recipe.lora.scale),
    )
    dropout: float = knob(
        0.05,
        title="Dropout",
        help="The share of the adapter's inputs that is zeroed at random while training.",
        consequence="A little dropout slows memorization of small datasets; 0 is fastest.",
        ge=0,
        lt=1,
        source="QLoRA, arXiv 2305.14314, appendix B (0.1 up to 13B, 0.05 above)",
        when=tasks_with_dropout(),
        witness=reading("lora_dropouts"),
    )
    targets: tuple[str, ...] = knob(
        ("all-linear",),
        title="Target modules",
        help="Which linear layers get an adapter: all-linear, or names such as q_proj, v_proj.",
        consequence="Adapting all linear layers learns the most; adapting only the attention layers "
        "saves memory and learns less.",
        source="QLoRA, arXiv 2305.14314, figure 2",
        witness=reading("lora_targets"),
    )
    variant: str = knob(
        "plain",
        title="Variant",
        help="How the update is computed.",
        consequence="dora makes steps slower; rslora makes ranks above 32 worthwhile.",
        choices={
            "plain": "LoRA as published",
            "rslora": "scaled by the square root of the rank, more stable at high ranks",
            "dora": "separates magnitude and direction; closer to full fine-tuning at low ranks",
        },
        source="rsLoRA, arXiv 2312.03732; DoRA, arXiv 2402.09353",
        advanced=True,
        witness=reading("lora_variants"),
    )
    modules_to_save: tuple[str, ...] = knob(
        (),
        title="Modules to save",
        help="Modules that are trained in full and saved with the adapter, such as lm_head and embed_tokens. Needed "
        "if you added new tokens.",
        consequence="Adds whole matrices to memory and to the adapter file.",
        advanced=True,
        witness=reading("saved_modules"),
    )

    @property
    def scale(self) -> float:
        """The factor of the update; rslora's falls with the square root of the rank alone (arXiv 2312.03732)."""
        return self.alpha / (self.rank**0.5 if self.variant == "rslora" else self.rank)
