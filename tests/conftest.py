"""What all tests share: a home of their own, and the public data sets where they are at hand."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.kit import nvml
from tests.kit.warm import process
from tests.kit.warm.process import WarmPython

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_DATA = ROOT.parent / "shared" / "data"

# Before anything imports torch or asks the hub: tests run on one thread and without a network.
os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TUNEDECK_FORECAST="off")

# Programs that tests start must die of these signals even where the tests run under nohup or in the background.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# The same examples each time, and no limit to the time of one: what fails does so on every machine, however busy.
# `--hypothesis-profile=random`, as in `make soak`, looks for new ones.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

LONGEST = ("test_walk", "test_resume", "test_parity", "test_commands", "test_crash", "test_demo")
"""Files that take half a minute and more, begun first, so that none is left over when all others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deals the files so that tests that compute and tests that wait run side by side; each file keeps its order.

    Those in `e2e` train models and keep a processor busy; the others wait for keys, threads and processes most of
    their time, so that three workers share two processors well.
    """
    files = list(dict.fromkeys(item.path for item in items))
    computing = sorted((path for path in files if path.parent.name == "e2e"), key=lambda path: path.stem not in LONGEST)
    waiting = [path for path in files if path.parent.name != "e2e"]
    place = {path: (number + 0.5) / len(part) for part in (computing, waiting) for number, path in enumerate(part)}
    items.sort(key=lambda item: place[item.path])


def pytest_collection_finish() -> None:
    """What the collection has imported stays: looking for garbage in it takes a second of each long test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests agree to is not remembered for the user who runs them; one folder, for fixtures of modules too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


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


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stand-in for NVIDIA's library; see `tests.kit.nvml`."""
    cc = nvml.compiler()
    if cc is None:
        pytest.skip("no C compiler is here to build the stand-in for NVIDIA's library: pip install ziglang")
    return nvml.build(tmp_path_factory.mktemp("nvml"), cc)


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    """A process with the training stack imported, from which keepers and workers are forked; started at first use.

    There is one for all test processes that run side by side.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with process.warm_python() as warm:
            yield warm
        return
    with process.shared_warm_python(tmp_path_factory.getbasetemp().parent) as warm:
        yield warm


@pytest.fixture
def warm(warm_python: WarmPython, monkeypatch: pytest.MonkeyPatch) -> WarmPython:
    """Makes `launch`, here and in programs that the test starts, fork keepers and workers from the warm process."""
    for name, value in warm_python.environment.items():
        monkeypatch.setenv(name, value)
    return warm_python
