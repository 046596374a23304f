"""The parent process: keeps the worker processes running, and touches no message itself.

It has one thread and nothing open but the socket, so it can fork at any time (the process model is
gunicorn's arbiter). Workers that end are replaced; one that keeps ending is given growing pauses.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mailweir.config import Config
from mailweir.errors import ConfigError, MailweirError
from mailweir.milter import worker
from mailweir.milter.listen import Listener
from mailweir.records.ids import IMPORT_SLOT

log = logging.getLogger("mailweir.milter")

STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
HANDLED = STOP | {signal.SIGHUP, signal.SIGCHLD}
FIRST_PAUSE = 0.1  # seconds; doubled with each early death
EARLY = 5.0  # seconds; a worker that lived longer had started well
KILL_MARGIN = 5.0  # seconds after milter.stop_grace until a worker is killed
LOCK_PATIENCE = 5.0  # seconds for the workers of a killed parent to end


@dataclass
class Slot:
    """A place for one worker; its number is part of the Mail In IDs made there."""

    number: int
    pid: int = 0  # 0: no worker now
    lifeline: int = -1  # write end of the pipe whose end tells the worker to stop
    started: float = 0.0
    pause: float = 0.0  # before the next start, after early deaths
    not_before: float = 0.0


class Workers:
    """Runs one worker in each slot until told to stop."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        """`reload` reads the settings again, at SIGHUP."""
        self._config = config
        self._reload = reload
        self._slots = [Slot(number) for number in range(_count(config))]

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGQUIT. Raises ConfigError when it cannot begin."""
        _make_directories(self._config)
        lock = _lock(Path(self._config.state_dir, "milter.lock"))
        self._listener = Listener(self._config.milter)
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        log.info("listening on %s with %d workers", self._config.milter.socket, len(self._slots))
        try:
            while True:
                self._fork_missing()
                received = signal.sigtimedwait(HANDLED, self._until_next_fork())
                if received and received.si_signo in STOP:
                    break
                if received and received.si_signo == signal.SIGHUP:
                    self._replace_all()
                self._reap()
        finally:
            self._listener.close()
            self._stop(self._slots)
            os.close(lock)
        log.info("stopped")

    def _fork_missing(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if not slot.pid and slot.not_before <= now:
                self._fork(slot)

    def _until_next_fork(self) -> float:
        """Seconds; long when all are running, for then SIGCHLD tells."""
        waits = [slot.not_before - time.monotonic() for slot in self._slots if not slot.pid]
        return max(0.0, min(waits, default=3600.0))

    def _fork(self, slot: Slot) -> None:
        parent = os.getpid()
        read_end, slot.lifeline = os.pipe()
        slot.started = time.monotonic()
        slot.pid = os.fork()
        if not slot.pid:
            self._become_worker(slot.number, parent, read_end)
        os.close(read_end)

    def _become_worker(self, number: int, parent: int, read_end: int) -> NoReturn:
        try:
            for slot in self._slots:
                if slot.lifeline >= 0:  # else the others would outlive the parent
                    os.close(slot.lifeline)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            worker.serve(self._config, number, self._listener.socket, parent, read_end)
        except BaseException:  # nothing of the parent's may run in the child
            log.exception("worker of slot %d cannot work", number)
        finally:
            os._exit(70)  # EX_SOFTWARE

    def _reap(self) -> None:
        for slot in self._slots:
            if not slot.pid:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if not pid:
                continue
            now = time.monotonic()
            early = now - slot.started < EARLY
            slot.pause = (
                min(slot.pause * 2 or FIRST_PAUSE, self._config.milter.longest_pause) if early else 0.0
            )
            slot.not_before = now + slot.pause
            _vacate(slot)
            log.warning(
                "worker %d of slot %d %s; the next one starts in %.1f s",
                *(pid, slot.number, _ending(status), slot.pause),
            )

    def _replace_all(self) -> None:
        """New settings: one worker after the other, while the rest go on."""
        try:
            config = self._reload()
        except MailweirError as error:
            log.error("the settings stay as they were: %s", error)
            return
        if config.milter.socket != self._config.milter.socket or _count(config) != len(self._slots):
            log.warning("a new milter.socket or milter.workers takes a restart; the rest is in force now")
        self._config = config
        for slot in self._slots:
            self._stop([slot])
            slot.not_before = slot.pause = 0.0
            self._fork(slot)
        log.info("all workers replaced")

    def _stop(self, slots: Sequence[Slot]) -> None:
        """Let workers finish what they have in hand; whoever takes too long is killed."""
        running = [slot for slot in slots if slot.pid]
        for slot in running:
            os.close(slot.lifeline)
            slot.lifeline = -1
        deadline = time.monotonic() + self._config.milter.stop_grace + KILL_MARGIN
        while running:
            for slot in [slot for slot in running if os.waitpid(slot.pid, os.WNOHANG)[0]]:
                running.remove(slot)
                _vacate(slot)
            left = deadline - time.monotonic()
            if running and left <= 0:
                for slot in running:
                    log.error("worker %d of slot %d does not stop and is killed", slot.pid, slot.number)
                    os.kill(slot.pid, signal.SIGKILL)
                deadline += KILL_MARGIN
            elif running:
                signal.sigtimedwait({signal.SIGCHLD}, left)


def _vacate(slot: Slot) -> None:
    slot.pid = 0
    if slot.lifeline >= 0:
        os.close(slot.lifeline)
        slot.lifeline = -1


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.waitstatus_to_exitcode(status)}"


def _count(config: Config) -> int:
    wanted = config.milter.workers or max(2, len(os.sched_getaffinity(0)))
    if wanted > IMPORT_SLOT:
        raise ConfigError(f"milter.workers must be at most {IMPORT_SLOT}, not {wanted}")
    return wanted


def _make_directories(config: Config) -> None:
    for directory in (config.journal_dir, config.spool_dir):
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"state_dir: {directory} cannot be made: {error}") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigError(f"state_dir: {directory} cannot be written to by this user")


def _lock(path: Path) -> int:
    """Only one filter writes these journals; its workers inherit the lock, so it outlives a killed parent."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise ConfigError(f"{path}: another `mailweir milter` works with this state_dir") from None
            time.sleep(0.1)
        else:
            return fd
