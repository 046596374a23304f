"""How much looking into one message may still cost: files, bytes, depth, ratio and time.

Every unpacking step counts here before it is done, so a bomb ends at the limit and not at the machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from mailweir.config import Content
from mailweir.content.trouble import LimitExceeded


@dataclass(slots=True)
class Budget:
    """What is left; counted down by the walk, and by each unpacking while it goes on."""

    limits: Content
    deadline: float  # on `clock`
    files: int = 0
    bytes: int = 0
    clock: Callable[[], float] = field(default=monotonic)

    def left(self) -> float:
        """Seconds left."""
        return self.deadline - self.clock()

    def tick(self) -> None:
        """Raise LimitExceeded when the time is over."""
        if self.clock() > self.deadline:
            raise LimitExceeded(out_of_time(self.limits), whole=True)

    def enter(self, depth: int) -> None:
        """Count one more file at that depth."""
        self.files += 1
        if self.files > self.limits.max_files:
            raise LimitExceeded(f"more than {self.limits.max_files} files (content.max_files)", whole=True)
        if depth > self.limits.max_depth:
            raise LimitExceeded(f"nested deeper than {self.limits.max_depth} levels (content.max_depth)")
        self.tick()

    def take(self, count: int) -> None:
        """Count unpacked bytes."""
        self.bytes += count
        if self.bytes > self.limits.max_bytes:
            raise LimitExceeded(self.too_large(), whole=True)

    def too_large(self) -> str:
        """The words for too many bytes."""
        return f"unpacks to more than {self.limits.max_bytes} bytes (content.max_bytes)"

    def announce(self, files: int, size: int) -> None:
        """Refuse a container whose directory already promises more than is left."""
        if self.files + files > self.limits.max_files:
            raise LimitExceeded(f"more than {self.limits.max_files} files (content.max_files)")
        if self.bytes + size > self.limits.max_bytes:
            raise LimitExceeded(self.too_large())

    def ratio(self, packed: int, unpacked: int) -> None:
        """Refuse what unpacks to too many times its packed size."""
        if unpacked > self.limits.ratio_from and unpacked > self.limits.max_ratio * max(packed, 1):
            raise LimitExceeded(
                f"unpacks to more than {self.limits.max_ratio} times its size (content.max_ratio)"
            )

    def taker(self, packed: int) -> Callable[[int], None]:
        """A function that counts the unpacked bytes of one file of that packed size, as they come."""
        total = 0

        def take(count: int) -> None:
            nonlocal total
            total += count
            self.ratio(packed, total)
            self.take(count)
            self.tick()

        return take


def out_of_time(limits: Content) -> str:
    """The words for the time budget being spent."""
    return f"took longer than {limits.time_budget:g} seconds (content.time_budget)"
