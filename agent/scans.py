"""Looks into queue files beside the agent's loop, most often to scan them again: a few at a time, in threads.

A scan may take as long as the filter would let it; meanwhile log, commands and lifetimes go on. The threads
read queue files and know neither database nor policies: the loop decides what an ended scan means.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, BinaryIO, Protocol

from mailweir.agent.queue import QueueHelper, Target
from mailweir.content.findings import Scan

_GLANCE = 0.05  # seconds to wait for the end of a scan when there is nothing else to do


Look = Callable[[BinaryIO, int], Any]  # given the message and its size in bytes


class Scanner(Protocol):
    """What is needed of content/scanner.py; several threads may call it at once."""

    def scan_message(self, body: BinaryIO, size: int, *, passwords: Sequence[str] = ()) -> Scan:
        """Look into a whole message, trying the passwords on what is encrypted."""


class Scans:
    """The scans under way, each known by a number that its caller chose."""

    def __init__(self, helper: QueueHelper, places: int) -> None:
        self._helper = helper
        self._places = threading.BoundedSemaphore(places)
        self._most = places
        self._under_way: set[int] = set()
        self._ended: queue.SimpleQueue[tuple[int, Future[Any]]] = queue.SimpleQueue()

    @property
    def under_way(self) -> list[int]:
        """Those that were begun and whose result nobody has asked for yet."""
        return sorted(self._under_way)

    @property
    def room(self) -> int:
        """How many more can be begun without one having to wait for another."""
        return max(0, self._most - len(self._under_way))

    def begin(self, number: int, target: Target, look: Look) -> None:
        """Look into that queue file; beyond the number of places it waits for its turn."""
        self._under_way.add(number)
        # A daemon: an agent that is told to stop does not wait, and the next one scans again.
        threading.Thread(
            target=self._scan, args=(number, target, look), name=f"scan {number}", daemon=True
        ).start()

    def ended(self, *, wait: bool) -> dict[int, Future[Any]]:
        """The results that are there now; with wait, after a short while if there are none yet."""
        found: dict[int, Future[Any]] = {}
        try:
            while self._under_way:
                first = wait and not found
                number, result = self._ended.get(block=first, timeout=_GLANCE if first else None)
                self._under_way.discard(number)
                found[number] = result
        except queue.Empty:
            pass
        return found

    def _scan(self, number: int, target: Target, look: Look) -> None:
        result: Future[Any] = Future()
        try:
            with self._places, self._helper.content(target) as (body, size):
                result.set_result(look(body, size))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the command must hear of it
            result.set_exception(error)
        self._ended.put((number, result))
