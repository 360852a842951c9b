"""Folders of weights that are right in form and hold one number: for tests that only look at files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from core.jobs.folder import JobFolder
from core.jobs.trust import workspace_ask
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe, to_json


def safetensors(path: Path) -> None:
    """A file with one number."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def adapter_folder(folder: Path, base: Path | str, **config: Any) -> Path:
    """A LoRA adapter: rank 16, alpha 32, on all linear layers of the tiny base, unless `config` says otherwise."""
    folder.mkdir(parents=True)
    safetensors(folder / "adapter_model.safetensors")
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    plain = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.0,
        "target_modules": targets,
        "use_rslora": False,
        "use_dora": False,
        "modules_to_save": None,
    }
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    return folder


def run_with_weights(workspace: Path, recipe: Recipe, state: str = "finished", **config: Any) -> JobFolder:
    """A run that has ended, with what its method leaves; a state in which a run is active leaves none."""
    folder = JobFolder.create(workspace / "runs", recipe.name or "run", "training", payload={"recipe": to_json(recipe)})
    workspace_ask(workspace).agree()
    over = state in ("finished", "stopped", "failed", "lost")
    folder.reset_status(state=state, ended=time.time() if over else None, step=40, of=40)
    if state not in ("finished", "stopped"):
        return folder
    kept = folder.path / adapter_of(recipe).folder
    if adapter_of(recipe).whole:
        kept.mkdir()
        safetensors(kept / "model.safetensors")
        (kept / "config.json").write_text((Path(recipe.model.path) / "config.json").read_text())
    else:
        adapter_folder(kept, recipe.model.path, **config)
    return folder
