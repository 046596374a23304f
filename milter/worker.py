"""One worker process: from the fork to its last answer.

The order matters: the scanner makes its own child processes before any thread exists, then the journal's
writer starts, then libmilter takes the main thread.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import threading
import time
from typing import NoReturn

import Milter

from mailweir.config import Config
from mailweir.content.scanner import Scanner
from mailweir.milter.desk import Desk
from mailweir.milter.filter import ACTIONS, Filter
from mailweir.milter.journal import Journal
from mailweir.milter.snapshot import Snapshot
from mailweir.records.ids import IdSource

log = logging.getLogger("mailweir.milter")

PR_SET_PDEATHSIG = 1  # prctl(2)
LAST_ANSWER = 0.1  # seconds that libmilter gets to send what the last callback returned


def serve(config: Config, slot: int, listener: socket.socket, parent: int, lifeline: int) -> NoReturn:
    """Work until the lifeline (the read end of a pipe that only the parent can write) is closed."""
    _die_with(parent)
    scanner = Scanner(config)
    journal = Journal(
        config.journal_dir,
        slot,
        rotate_above=config.journal.rotate_above,
        slow_after=config.milter.filtering_after,
        warn=log.warning,
    )
    ids = IdSource(config.node.number, slot, journal.last_id())
    desk = Desk(config, scanner, journal, Snapshot(config.policy_snapshot, log.warning), ids)
    threading.Thread(target=_stop_at_end_of, args=(lifeline, desk), name="lifeline", daemon=True).start()

    Milter.factory = lambda: Filter(desk)
    Milter.set_flags(ACTIONS)
    Milter.set_exception_policy(Milter.TEMPFAIL)
    log.info("worker %d of slot %d takes messages", os.getpid(), slot)
    # Without a path libmilter cannot remove the socket that the other workers still use.
    Milter.runmilter("mailweir", f"fd:{listener.fileno()}", config.milter.timeout, rmsock=False)
    _finish(desk)  # libmilter itself ends at SIGTERM


def _die_with(parent: int) -> None:
    """End with the parent, even one that was killed."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(0)


def _stop_at_end_of(lifeline: int, desk: Desk) -> NoReturn:
    while os.read(lifeline, 1):
        pass
    _finish(desk)


def _finish(desk: Desk) -> NoReturn:
    if not desk.drain():
        log.warning("worker %d stops with messages in hand; their clients will send them again", os.getpid())
    time.sleep(LAST_ANSWER)
    # Not exit(): libmilter's threads may be anywhere, and idle connections are Postfix's to give up.
    os._exit(0)
