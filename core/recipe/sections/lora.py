"""The adapter: small matrices beside frozen weights."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob


@dataclass(frozen=True, slots=True)
class Lora:
    """The adapter."""

    rank: int = knob(
        16,
        title="Rank",
        help="Size of the update: each adapted matrix gets two factors of this width. 8 to 16 to start, 32 to 64 for "
        "hard tasks or much data.",
        consequence="Twice the rank: twice the trained parameters.",
        ge=1,
        le=1024,
        source="LoRA, arXiv 2106.09685, section 7.2",
    )
    alpha: float = knob(
        32.0,
        title="Alpha",
        help="Scale of the update: it is multiplied by alpha / rank (rslora: alpha / sqrt(rank)). Twice the rank is a "
        "common choice.",
        consequence="Twice the alpha acts much like twice the learning rate.",
        gt=0,
        source="LoRA, arXiv 2106.09685, section 4.1",
    )
    dropout: float = knob(
        0.05,
        title="Dropout",
        help="Share of the adapter's inputs that is zeroed at random while training.",
        consequence="A little slows memorising of small data sets; 0 is fastest.",
        ge=0,
        lt=1,
        source="QLoRA, arXiv 2305.14314, appendix B (0.1 up to 13 B, 0.05 above)",
    )
    targets: tuple[str, ...] = knob(
        ("all-linear",),
        title="Targets",
        help="Which linear layers get an adapter: all-linear, or names such as q_proj, v_proj.",
        consequence="All layers learn most; attention alone saves memory and learns less.",
        source="QLoRA, arXiv 2305.14314, figure 2",
    )
    variant: str = knob(
        "plain",
        title="Variant",
        help="How the update is built.",
        consequence="dora steps are slower; rslora makes ranks above 32 pay.",
        choices={
            "plain": "LoRA as published",
            "rslora": "scaled by the square root of the rank, steadier at high ranks",
            "dora": "magnitude and direction apart; closer to full fine-tuning at low ranks",
        },
        source="rsLoRA, arXiv 2312.03732; DoRA, arXiv 2402.09353",
        advanced=True,
    )
    modules_to_save: tuple[str, ...] = knob(
        (),
        title="Trained whole",
        help="Modules trained in full beside the adapter and saved with it, such as lm_head and embed_tokens. Needed "
        "when new tokens were added.",
        consequence="Adds whole matrices to memory and to the adapter's file.",
        advanced=True,
    )
