"""The processes in which hostile formats are opened.

`python -m mailweir.content.child` is a small template process: it forks a child whenever its worker asks,
and buries those that died or hang. A child opens one item at a time, within limits that the kernel keeps.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from time import monotonic
from typing import Any, NoReturn

from mailweir.config import Content
from mailweir.content.budget import Budget
from mailweir.content.findings import Finding
from mailweir.content.item import Item, adopt_fd, to_fd
from mailweir.content.trouble import LimitExceeded
from mailweir.content.walk import Hooks, Walk

MESSAGE = 1 << 16
_JOBS = 500  # after so many a child is replaced, so that leaks of the parsers do not add up
_PR_SET_PDEATHSIG = 1


def send(sock: socket.socket, message: object, fd: int = -1) -> None:
    """One JSON message, with a descriptor when one is given."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
    sock.sendmsg([json.dumps(message).encode()], rights)


def receive(sock: socket.socket) -> tuple[Any, int]:
    """The next message and its descriptor (-1: none). Raises EOFError when the other side is gone."""
    data, fds, _, _ = socket.recv_fds(sock, MESSAGE, 1)
    if not data:
        raise EOFError
    return json.loads(data), fds[0] if fds else -1


def template(control: socket.socket, limits: Content) -> None:
    """Serve the worker until it is gone: "fork" answers with a pid and a socket, a pid buries that child."""
    children: set[int] = set()
    try:
        while True:
            wish, _ = receive(control)
            if wish == "fork":
                here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                pid = os.fork()
                if not pid:
                    control.close()
                    here.close()
                    _child(there, limits)
                there.close()
                children.add(pid)
                send(control, pid, here.fileno())
                here.close()
            else:
                children.discard(wish)
                _kill(wish)
                _, status = os.waitpid(wish, 0)
                send(control, os.waitstatus_to_exitcode(status))
    except EOFError:
        for pid in children:
            _kill(pid)
            os.waitpid(pid, 0)


def _kill(pid: int) -> None:
    """End a child of ours and what it started; the group is missing when it died before making one."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)


def _child(sock: socket.socket, limits: Content) -> NoReturn:
    code = 1
    try:
        os.setpgid(0, 0)  # so that an unpacker it started dies with it
        _die_with_parent()
        resource.setrlimit(resource.RLIMIT_DATA, (limits.child_memory, limits.child_memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.max_bytes * 2, limits.max_bytes * 2))
        for left in reversed(range(_JOBS)):
            job, fd = receive(sock)
            _serve(sock, limits, job, fd, last=not left)
            gc.collect(0)
        code = 0
    except EOFError:
        code = 0
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve(sock: socket.socket, limits: Content, job: dict[str, Any], fd: int, *, last: bool) -> None:
    """Open one item and send what is found as it is found; the last message is the account."""
    seconds = job["seconds"]
    used = resource.getrusage(resource.RUSAGE_SELF)
    ceiling = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (ceiling, resource.getrlimit(resource.RLIMIT_CPU)[1]))

    def report(finding: Finding) -> None:
        send(sock, {"finding": [finding.kind, finding.part, finding.name, finding.detail]})

    def unlocked(kind: str) -> None:
        send(sock, {"unlocked": kind})

    def seen(part: str, format_: str, size: int) -> None:
        send(sock, {"seen": [part, format_, size]})

    def opened(item: Item) -> None:
        content = to_fd(item.data)
        send(sock, {"opened": [item.part, item.name]}, content)
        os.close(content)

    budget = Budget(limits, monotonic() + seconds, job["files"], job["bytes"])
    hooks = Hooks(report, opened, seen=seen if job["explain"] else None, unlocked=unlocked)
    walk = Walk(budget, hooks, job["passwords"])
    item = Item(job["part"], job["name"], adopt_fd(fd), job["depth"], job["type"], cuts=tuple(job["cuts"]))
    stopped = False
    try:
        walk.open(item, job["format"])
    except LimitExceeded:
        stopped = True
    send(sock, {"done": [budget.files, budget.bytes, stopped], "last": last})


def main() -> None:
    """Started by pool.py with the control socket as descriptor 0 and the limits as one JSON argument."""
    logging.disable()  # the parsers' complaints about hostile files are findings, not our log
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle; we end when it does
    control = socket.socket(fileno=os.dup(0))
    _die_with_parent()
    template(control, Content(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
