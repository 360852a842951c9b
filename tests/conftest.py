"""What all tests share: a home of their own, and the public data sets where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_DATA = ROOT.parent / "shared" / "data"

# Before anything imports torch or asks the hub: tests run on one thread and without a network.
os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and caches of the user who runs the tests are neither read nor written."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TUNEDECK_THEME", raising=False)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with real public data sets, beside the checkout."""
    if not PUBLIC_DATA.is_dir():
        pytest.skip("the public data sets (../shared/data beside the checkout) are not here")
    return PUBLIC_DATA
