"""What `tunedeck doctor` says of the Hugging Face Hub: login and offline mode. Nothing is asked over the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tui.commands.doctor_finding import DoctorFinding

_YES = ("1", "ON", "YES", "TRUE")


def examine_hub(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[DoctorFinding]]:
    """Where the token comes from, whether the Hub may be asked, and what is wrong with that.

    The token itself is never returned.

    Args:
        environment: variables, as `huggingface_hub` reads them.

    Returns:
        `{"token_from", "offline", "endpoint"}`, and the findings.
    """
    token, origin = _token(environment)
    offline = next((name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if _is_on(environment, name)), "")
    facts = {
        "token_from": origin,
        "offline": bool(offline),
        "endpoint": environment.get("HF_ENDPOINT") or "https://huggingface.co",
    }
    login = "hf auth login"
    if not shutil.which("hf", path=environment.get("PATH")):
        login = f"pip install huggingface_hub && {login}"
    findings = []
    if not origin:
        words = "Not logged in to the Hub: gated and private models and datasets cannot be downloaded."
        findings.append(DoctorFinding("note", "hub", words, login))
    elif not token.startswith("hf_"):
        words = f"The Hub token in {origin} does not look like one: it should begin with hf_."
        findings.append(DoctorFinding("note", "hub", words, login))
    if offline:
        words = f"Offline mode is on ({offline}): only downloaded models and datasets can be used."
        findings.append(DoctorFinding("note", "hub", words, f"unset {offline}"))
    return facts, findings


def _token(environment: Mapping[str, str]) -> tuple[str, str]:
    """The token, and the variable or file it is in; both "" where there is none."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := environment.get(name, "").strip():
            return token, name
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME") or str(Path.home()), ".cache")
    home = environment.get("HF_HOME") or os.path.join(cache, "huggingface")
    path = Path(environment.get("HF_TOKEN_PATH") or os.path.join(home, "token")).expanduser()
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "", ""
    return (token, str(path)) if token else ("", "")


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").upper() in _YES
