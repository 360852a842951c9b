"""What is known about a GPU at one moment. A value that cannot be had is None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One reading of one GPU, or of one MIG slice of it.

    Attributes:
        index: the GPU's number as nvidia-smi counts.
        uuid: `GPU-...` or `MIG-...`.
        name: the product's name.
        memory_total: bytes.
        memory_used: bytes, of all processes.
        processes: (pid, bytes or None) of each process that computes on it; None where the driver reports none.
            In a container the pids are the host's.
        utilization: percent of the last sample period in which a kernel ran.
        temperature: degrees Celsius.
        power: watts.
        power_limit: watts, the limit that is enforced.
        throttle: why the clocks are held down, in words; empty if they are not.
        problem: a sentence if this GPU cannot be read, else "".
        capability: CUDA's compute capability, major and minor: (8, 0) is an A100, (7, 5) a T4.
    """

    index: int
    uuid: str | None = None
    name: str | None = None
    memory_total: int | None = None
    memory_used: int | None = None
    processes: tuple[tuple[int, int | None], ...] | None = None
    utilization: int | None = None
    temperature: int | None = None
    power: float | None = None
    power_limit: float | None = None
    throttle: tuple[str, ...] = ()
    problem: str = ""
    capability: tuple[int, int] | None = None

    @property
    def name_for_cuda(self) -> str:
        """The one entry of `CUDA_VISIBLE_DEVICES` that means this device: a MIG slice has no number of its own."""
        return self.uuid if self.uuid is not None and self.uuid.startswith("MIG") else str(self.index)

    @property
    def free(self) -> int | None:
        """Bytes of memory that nobody uses; None where the driver does not tell."""
        if self.memory_total is None or self.memory_used is None:
            return None
        return self.memory_total - self.memory_used

    def used_by(self, pids: Sequence[int], *, host_pids: bool = True) -> int | None:
        """Bytes that these processes use on this GPU, as the driver says; None if it does not tell.

        Args:
            pids: the processes, as they are numbered where this program runs.
            host_pids: whether that is as the driver numbers them. In a container it is not: then a GPU on which none
                of them is found may have them under other numbers.
        """
        if self.processes is None:
            return None
        found = [size for pid, size in self.processes if pid in pids]
        known = [size for size in found if size is not None]
        if len(known) < len(found) or (not found and not host_pids):
            return None
        return sum(known)

    def to_json(self) -> dict[str, Any]:
        """The form in `gpu.jsonl`."""
        return asdict(self)


def from_json(value: Mapping[str, Any]) -> GpuSample:
    """A sample from an object of `gpu.jsonl`; unknown keys are ignored.

    Raises:
        KeyError, TypeError, ValueError: it is no such object.
    """
    processes = value.get("processes")
    return GpuSample(
        index=int(value["index"]),
        uuid=value.get("uuid"),
        name=value.get("name"),
        memory_total=value.get("memory_total"),
        memory_used=value.get("memory_used"),
        processes=None if processes is None else tuple((int(pid), size) for pid, size in processes),
        utilization=value.get("utilization"),
        temperature=value.get("temperature"),
        power=value.get("power"),
        power_limit=value.get("power_limit"),
        throttle=tuple(value.get("throttle", ())),
        problem=value.get("problem", ""),
        capability=_pair(value.get("capability")),
    )


def _pair(value: Any) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))


def labels(gpus: Iterable[tuple[object, object]]) -> list[str]:
    """Short names, for index and uuid of each: `GPU 0`; of the slices of one GPU `MIG 0:0`, `MIG 0:1` ..."""
    slices: Counter[object] = Counter()
    found = []
    for index, uuid in gpus:
        if isinstance(uuid, str) and uuid.startswith("MIG"):
            found.append(f"MIG {index}:{slices[index]}")
            slices[index] += 1
        else:
            found.append(f"GPU {index}")
    return found
