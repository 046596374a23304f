"""The queue-helper: the one program that runs as root, and only to run Postfix's own queue commands.

It knows a dozen fixed command lines, serves one user over a Unix socket, and before every act reads the queue
file again and compares it with what was asked: a reused queue ID is refused, never acted on.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import re
import socket
import stat
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

import click

from mailweir import log as logs
from mailweir.agent import envelope
from mailweir.agent.queue_commands import NO_FILE, QueueCommands, last_line
from mailweir.config import Config
from mailweir.errors import ConfigError
from mailweir.postlog.queue_id import is_queue_id

log = logging.getLogger("mailweir.helper")

# verb -> postsuper's option, and what it then prints for each queue file on standard error
ACTS = {
    "hold": ("-h", "placed on hold"),
    "release": ("-H", "released from hold"),
    "requeue": ("-r", "requeued"),
    "delete": ("-d", "removed"),
    "expire": ("-f", "expired"),
}
MAX_ITEMS = 100  # queue files in one request; keeps a command line short
MAX_LINE = 1 << 18  # bytes of one request
_REPORT = re.compile(r"^\S*postsuper: (\w+): (.*)$", re.MULTILINE)


class BadRequest(Exception):
    """The request is not one that the helper knows; answered with its text."""


class Helper:
    """Answers requests; one thread for each connection, so that none waits for another."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._commands = QueueCommands(config)
        self._places = threading.BoundedSemaphore(config.helper.parallel)
        self._uids = {0, _uid(config.helper.allowed_user)}

    def serve(self, listener: socket.socket) -> None:
        """Accept connections for ever."""
        while True:
            connection, _ = listener.accept()
            if not self._places.acquire(blocking=False):
                connection.close()  # the client sees it end, and tries again
                continue
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(self._config.helper.timeout)
                uid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
                if uid not in self._uids:
                    log.warning("refused a connection from uid %d", uid)
                    return
                with connection.makefile("rb") as lines:
                    while line := lines.readline(MAX_LINE):
                        reply = self.answer(line, connection)
                        connection.sendall(json.dumps(reply).encode() + b"\n")
        except OSError as error:
            log.info("a connection ended early: %s", error)
        finally:
            self._places.release()

    def answer(self, line: bytes, connection: socket.socket) -> dict[str, Any]:
        """Do what one line asks and say what came of it; never raises."""
        try:
            request = json.loads(line)
            return self._do(request["verb"], request, connection)
        except subprocess.TimeoutExpired as error:
            return {"ok": False, "reason": f"{Path(error.cmd[0]).name} took longer than {error.timeout:g} s"}
        except (BadRequest, OSError) as error:
            return {"ok": False, "reason": str(error)}
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"ok": False, "reason": "that is not a request"}

    def _do(self, verb: str, request: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
        if verb == "list":
            return self._commands.stream(connection, "postqueue", "-j")
        if verb == "schedule":
            return self._schedule(connection)
        if verb == "open-log":
            return self._open_log(str(request.get("name", "")), connection)
        items = _items(request)
        checked = self._check(items)
        if verb == "content":
            if len(items) != 1 or checked[0]["result"] != "same":
                return {"ok": True, "items": checked}
            return self._commands.stream(connection, "postcat", "-b", "-h", "-q", items[0]["queue_id"])
        if verb in ACTS:
            self._act(verb, [item for item in checked if item["result"] == "same"])
        elif verb == "deliver-now":
            self._deliver([item for item in checked if item["result"] == "same"])
        elif verb != "read":
            raise BadRequest("no such verb")
        return {"ok": True, "items": checked}

    def _check(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """For each item: same, gone, refused (another message) or unreadable, with the envelope."""
        found = self._commands.envelopes([item["queue_id"] for item in items])
        results: list[dict[str, Any]] = []
        for item in items:
            seen = found[item["queue_id"]]
            result: dict[str, Any] = {"queue_id": item["queue_id"], "reason": ""}
            if isinstance(seen, str):
                result |= {"result": "gone" if seen is NO_FILE else "unreadable", "reason": seen}
            else:
                reason = envelope.difference(seen, item["arrival_us"], item["slack"], item["sender"])
                result |= {"result": "refused" if reason else "same", "reason": reason}
                result["envelope"] = seen.as_dict()
            results.append(result)
        return results

    def _act(self, verb: str, items: list[dict[str, Any]]) -> None:
        if not items:
            return
        option, done = ACTS[verb]
        arguments = [word for item in items for word in (option, item["queue_id"])]
        output = envelope.decode(self._commands.run("postsuper", *arguments).stderr)
        reported = {(match[1], match[2]) for match in _REPORT.finditer(output)}
        for item in items:
            if (item["queue_id"], done) in reported:
                item |= {"result": "done"}
                log.info("%s %s", verb, item["queue_id"])
            else:
                where = item["envelope"]["queue"]
                item |= {"result": "failed", "reason": f"Postfix did nothing: the message stood in {where}"}
        finished = [item for item in items if item["result"] == "done"]
        if verb == "requeue" and finished:
            self._commands.trigger("pickup", "W")  # by itself it looks once a minute
        if verb in ("release", "expire"):
            self._commands.attempt([item["queue_id"] for item in finished])
        self._look_after(items)

    def _deliver(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            if item["envelope"]["queue"] == "hold":
                item |= {"result": "failed", "reason": "the message is on hold"}
                continue
            done = self._commands.run("postqueue", "-i", item["queue_id"])
            item |= {"result": "failed" if done.returncode else "done", "reason": last_line(done.stderr)}
            self._look_after([item])

    def _schedule(self, connection: socket.socket) -> dict[str, Any]:
        """Pass a descriptor of the times of the next attempts."""
        with os.fdopen(os.memfd_create("schedule", os.MFD_CLOEXEC), "w+b") as lines:
            lines.write(self._commands.schedule())
            lines.seek(0)
            socket.send_fds(connection, [b'{"ok": true}\n'], [lines.fileno()])
        return {"ok": True}

    def _look_after(self, items: list[dict[str, Any]]) -> None:
        """Note in which queue each file stands once the act is done; "" when it is gone."""
        places = self._commands.find([item["queue_id"] for item in items])
        for item in items:
            item["after"] = places.get(item["queue_id"], ("", ""))[0]

    def _open_log(self, name: str, connection: socket.socket) -> dict[str, Any]:
        """Pass the log's descriptor; name may be that of a rotated one beside it."""
        path = Path(self._config.postfix.log)
        if name and (name != Path(name).name or not name.startswith(path.name)):
            raise BadRequest("only the log and its rotated files can be opened")
        descriptor = os.open(path.with_name(name or path.name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BadRequest("the log is not a plain file")
            socket.send_fds(connection, [b'{"ok": true}\n'], [descriptor])
        finally:
            os.close(descriptor)
        return {"ok": True}


def _items(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The queue files of a request with what the user saw of them, all checked."""
    items: list[dict[str, Any]] = []
    seen: set[str] = set()
    for given in request["items"]:
        queue_id = given["queue_id"]
        if not isinstance(queue_id, str) or not is_queue_id(queue_id):
            raise BadRequest("that is not a queue ID")
        if queue_id in seen:
            raise BadRequest("a queue ID is named twice")
        seen.add(queue_id)
        slack = min(max(float(given.get("slack", 0)), 0.0), 86_400.0)
        items.append(
            {
                "queue_id": queue_id,
                "arrival_us": int(given["arrival_us"]),
                "slack": slack,
                "sender": str(given["sender"]),
            }
        )
    if not 1 <= len(items) <= MAX_ITEMS:
        raise BadRequest(f"a request names 1 to {MAX_ITEMS} queue files")
    return items


def _uid(user: str) -> int:
    """The user's number; root's, who is served anyway, when there is no such user."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        log.warning("helper.allowed_user: there is no user %r on this machine; only root is served", user)
        return 0


def listen(config: Config) -> socket.socket:
    """The helper's socket, in place at once and for the allowed user only. Raises ConfigError."""
    path = Path(config.helper.socket)
    temporary = path.with_name(path.name + ".new")
    listener = socket.socket(socket.AF_UNIX)
    try:
        temporary.unlink(missing_ok=True)
        listener.bind(str(temporary))
        temporary.chmod(0o600)
        os.chown(temporary, _uid(config.helper.allowed_user), -1)
        listener.listen(64)
        temporary.rename(path)
    except OSError as error:
        listener.close()
        raise ConfigError(f"helper.socket: cannot listen at {path}: {error}") from error
    return listener


@click.command("queue-helper")
@click.pass_obj
def queue_helper(config: Config) -> None:
    """Run Postfix's queue commands for the agent (needs root)."""
    logs.to_stderr()
    if os.geteuid() != 0:
        raise ConfigError("the queue-helper runs Postfix's postsuper and therefore must be started as root")
    helper = Helper(config)
    with listen(config) as listener:
        helper.serve(listener)
