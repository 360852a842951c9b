"""Readings of the GPUs of this machine by NVIDIA's own library. Never an exception: a sentence, or None."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from core.gpu.readings import GpuSample

UNREADABLE = "No GPU readings"
"""How a problem begins where there is a driver: its GPUs may be used although nothing can be read of them."""

_NO_LIBRARY = "No NVIDIA driver (libnvidia-ml.so.1 not found)."
_NO_PACKAGE = f"{UNREADABLE}: the nvidia-ml-py package is not installed (pip install nvidia-ml-py)."
_THROTTLE = {  # bits of nvmlDeviceGetCurrentClocksEventReasons; idle clocks and clocks set by hand are no throttling
    0x04: "power limit",
    0x08: "hardware slowdown",
    0x10: "sync boost with a slower GPU",
    0x20: "heat",
    0x40: "heat, limited by the hardware",
    0x80: "power supply brake",
}


@dataclass(frozen=True, slots=True)
class DriverVersion:
    """NVIDIA's driver.

    Attributes:
        version: such as `550.54.14`.
        cuda: the newest CUDA that it supports, major and minor.
    """

    version: str
    cuda: tuple[int, int]


class GpuReader:
    """Reads all GPUs of this machine, again and again.

    Attributes:
        problem: a sentence on why there are no GPU readings at all, else "". Known after `open`.
    """

    def __init__(self) -> None:
        self.problem = "The GPUs have not been read yet."
        self._nvml: ModuleType | None = None
        self._count = 0

    def open(self) -> None:
        """Loads the library and counts the GPUs. Takes some 30 ms; a driver that sleeps may take seconds."""
        try:
            ctypes.CDLL("libnvidia-ml.so.1")  # without it the bindings, 5 MB, need not be loaded
        except OSError:
            self.problem = _NO_LIBRARY
            return
        try:
            import pynvml
        except ImportError:
            self.problem = _NO_PACKAGE
            return
        try:
            pynvml.nvmlInit()
            self._count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as error:
            self.problem = _sentence(pynvml, error)
            return
        self._nvml = pynvml
        self.problem = "" if self._count else "The NVIDIA driver finds no usable GPU on this machine."

    def close(self) -> None:
        """Gives the library back."""
        if self._nvml is not None:
            try:
                self._nvml.nvmlShutdown()
            except self._nvml.NVMLError:
                pass
        self._nvml = None
        self._count = 0
        self.problem = "The GPUs have not been read yet."

    def driver(self) -> DriverVersion | None:
        """The driver's version; None where there is no driver, or it does not say."""
        nvml = self._nvml
        if nvml is None:
            return None
        version = _text(_value(nvml, lambda: nvml.nvmlSystemGetDriverVersion()))
        cuda = _value(nvml, lambda: nvml.nvmlSystemGetCudaDriverVersion_v2())
        return None if not version or not cuda else DriverVersion(version, (cuda // 1000, cuda % 1000 // 10))

    def read(self) -> list[GpuSample]:
        """One sample for each GPU, or for each MIG slice of it; empty if there are none to read."""
        if self._nvml is None:
            return []
        samples: list[GpuSample] = []
        for index in range(self._count):
            samples += _read_gpu(self._nvml, index)
        return samples

    def inventory(self) -> GpuInventory:
        """The readings with the driver's version, or why there are none."""
        return GpuInventory(tuple(self.read()), self.problem, self.driver())


@dataclass(frozen=True, slots=True)
class GpuInventory:
    """The GPUs of this machine at one moment.

    Attributes:
        gpus: one reading for each GPU, or for each MIG slice of it.
        problem: a sentence on why there are none to read, or "".
        driver: NVIDIA's; None where it does not say its version.
    """

    gpus: tuple[GpuSample, ...] = ()
    problem: str = ""
    driver: DriverVersion | None = None


def read_gpus() -> GpuInventory:
    """The GPUs now. Loads the driver's library: some 30 ms, seconds where the driver sleeps."""
    reader = GpuReader()
    reader.open()
    try:
        return reader.inventory()
    finally:
        reader.close()


def _read_gpu(nvml: ModuleType, index: int) -> list[GpuSample]:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        whole = _read_device(nvml, index, handle)
        slices = [_read_device(nvml, index, slice_, parent=whole) for slice_ in _slices(nvml, handle)]
    except nvml.NVMLError as error:
        return [GpuSample(index, problem=_gpu_sentence(nvml, index, error))]
    return slices or [whole]


def _slices(nvml: ModuleType, handle: Any) -> list[Any]:
    mode = _value(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle))
    if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    most = _value(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    found = [_value(nvml, partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, n)) for n in range(most)]
    return [slice_ for slice_ in found if slice_ is not None]


def _read_device(nvml: ModuleType, index: int, handle: Any, parent: GpuSample | None = None) -> GpuSample:
    def value(function: Callable[..., Any], *args: Any) -> Any:
        return _value(nvml, lambda: function(handle, *args))

    memory = value(nvml.nvmlDeviceGetMemoryInfo, nvml.nvmlMemory_v2) or value(nvml.nvmlDeviceGetMemoryInfo)
    busy = value(nvml.nvmlDeviceGetUtilizationRates)
    processes = value(nvml.nvmlDeviceGetComputeRunningProcesses)
    sample = GpuSample(
        index=index,
        uuid=_text(value(nvml.nvmlDeviceGetUUID)),
        name=_text(value(nvml.nvmlDeviceGetName)),
        memory_total=None if memory is None else int(memory.total),
        memory_used=None if memory is None else int(memory.used),
        processes=None if processes is None else tuple((int(one.pid), one.usedGpuMemory) for one in processes),
        utilization=None if busy is None else int(busy.gpu),
        temperature=value(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
        power=_watts(value(nvml.nvmlDeviceGetPowerUsage)),
        power_limit=_watts(value(nvml.nvmlDeviceGetEnforcedPowerLimit)),
        throttle=_throttle(nvml, handle),
        capability=value(nvml.nvmlDeviceGetCudaComputeCapability),
    )
    return sample if parent is None else _with_parent(sample, parent)


def _with_parent(sample: GpuSample, parent: GpuSample) -> GpuSample:
    """A MIG slice has memory and processes of its own; heat, power and clocks are those of the whole GPU."""
    return GpuSample(
        index=sample.index,
        uuid=sample.uuid,
        name=sample.name,
        memory_total=sample.memory_total,
        memory_used=sample.memory_used,
        processes=sample.processes,
        utilization=sample.utilization,
        temperature=parent.temperature,
        power=parent.power,
        power_limit=parent.power_limit,
        throttle=parent.throttle,
        capability=parent.capability,
    )


def _value(nvml: ModuleType, ask: Callable[[], Any]) -> Any:
    """The answer, or None where this GPU has none. A GPU that is gone raises: then none of its values count."""
    try:
        return ask()
    except nvml.NVMLError as error:
        if error.value in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
            raise
        return None


def _throttle(nvml: ModuleType, handle: Any) -> tuple[str, ...]:
    bits = _value(nvml, lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    if bits is None:  # drivers before 535 know only the older name
        bits = _value(nvml, lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)) or 0
    return tuple(words for bit, words in _THROTTLE.items() if bits & bit)


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _text(value: str | bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _sentence(nvml: ModuleType, error: Any) -> str:
    reasons = {
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded; try `nvidia-smi`, or restart",
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver is installed",
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "the driver was updated while it was loaded; restart the machine",
        nvml.NVML_ERROR_NO_PERMISSION: "you have no permission to open /dev/nvidiactl; ask for access to the GPUs",
        nvml.NVML_ERROR_GPU_IS_LOST: "a GPU has fallen off the bus; restart the machine",
    }
    return f"{UNREADABLE}: {reasons.get(error.value, f'NVML says {str(error)!r}')}."


def _gpu_sentence(nvml: ModuleType, index: int, error: Any) -> str:
    reasons = {
        nvml.NVML_ERROR_GPU_IS_LOST: "has fallen off the bus; restart the machine",
        nvml.NVML_ERROR_RESET_REQUIRED: "must be reset (`nvidia-smi --gpu-reset`) or the machine restarted",
        nvml.NVML_ERROR_NO_PERMISSION: "cannot be read: you have no permission",
    }
    return f"GPU {index} {reasons.get(error.value, f'cannot be read: NVML says {str(error)!r}')}."
