"""Turns lines of a Postfix log into typed events, each line by itself.

The commonest lines are taken apart by str methods, as a day's log has millions of them; regular expressions
see only the rest (filtered.py). Replies and addresses are hostile: only what Postfix itself writes before
them decides how a line is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailweir.postlog import filtered
from mailweir.postlog.encrypted import short
from mailweir.postlog.events import (
    Active,
    Attempt,
    Client,
    Connecting,
    Disconnected,
    Event,
    Expired,
    Lost,
    MessageId,
    Notification,
    NotUnderstood,
    Pickup,
    Removed,
    Said,
    Secured,
    SecuredFrom,
    Super,
    Trouble,
)
from mailweir.postlog.stamps import Stamps
from mailweir.records.words import Outcome

Handler = Callable[[float, str, str, str], Event | None]  # time, process ID, service, message

# A named tuple made without its keyword-friendly constructor, which would double the cost of a common line.
_new = tuple.__new__

LONGEST_DELAY = 1e9  # seconds; numbers beyond these bounds are no Postfix's, and no database's either
STATUSES = frozenset(outcome.word for outcome in Outcome)
MOST_BYTES = 1 << 60
MOST_RECIPIENTS = 1 << 31
MOST_WRITERS = 20_000  # processes remembered by the head of their lines
MOST_SAMPLES = 20  # lines not understood that are kept to be shown
SAMPLE_LENGTH = 500  # characters of each

# A quoted local part may hold anything, also what looks like the end of the address.
_ADDRESS = r'((?:"(?:[^"\\]|\\.)*"|[^">])*)'
_ATTEMPT = re.compile(
    rf"to=<{_ADDRESS}>(?:, orig_to=<{_ADDRESS}>)?, relay=([^,]*)(?:, conn_use=\d+)?, delay=([\d.]+)"
    r"(?:, delays=([\d./]+))?(?:, dsn=([\d.]+))?, status=([\w-]+)(?: \((.*)\))?\Z",
    re.DOTALL,
)
_TROUBLE = (
    "host ", "lost connection ", "conversation with ", "Cannot start TLS", "enabling PIX ", "breaking line ",
    "passing ", "TLS is required", "replacing command", "SASL authentication failed", "connect to ",
    "server did not ", "timed out ", "warning: ", "SMTPUTF8 is required", "header ", "body ", "non-",
)  # fmt: skip
_USER = re.compile(r", sasl_username=(.*?)(?:, sasl_sender=|, orig_|\Z)")
_ORIG_QUEUE_ID = re.compile(r", orig_queue_id=(\w+)")
_ORIG_CLIENT = re.compile(r", orig_client=(\S+)\Z")
_NOTIFICATION = re.compile(r"(sender|postmaster) ([a-z-]+(?: [a-z]+)*) notification: (\w+)\Z")
_PICKUP = re.compile(r"uid=(\d+) from=<(.*?)>(?: orig_id=(\w+))?\Z", re.DOTALL)
_SECURED = re.compile(r"(\w+) TLS connection (?:established|reused) to (\S+?): (.*)\Z")
_SECURED_FROM = re.compile(r"(\w+) TLS connection established from \S*?\[([^\]]*)\](?: to \S+)?: (.*)\Z")
_CONNECT = re.compile(r"connect to (.+?\[.*?\](?::\d+)?): (.*)\Z", re.DOTALL)
_SUPER = {"removed": "removed", "placed on hold": "hold", "released from hold": "release",
          "requeued": "requeued", "expired": "expired"}  # fmt: skip


@dataclass
class Counts:
    """What became of the lines read; they only ever grow."""

    read: int = 0
    understood: int = 0
    ignored: int = 0  # deliberately: other programs' lines, connects, debug noise
    not_understood: int = 0
    orphaned: int = 0  # about a queue file that neither log nor records had told of before
    steps_back: int = 0  # how often the clock went back
    samples: list[str] = field(default_factory=list)  # of the lines not understood, the last few


def read(lines: Sequence[str], stamps: Stamps, counts: Counts) -> list[Event]:
    """The events of some lines in order; counts says what became of the lines that are none."""
    events: list[Event] = []
    append = events.append
    stamp, cut, time = "\n", 0, 0.0
    unknown = 0
    writers = _WRITERS
    for line in lines:
        if not line.startswith(stamp):
            stamp, time = stamps.read(line)
            cut = len(stamp)
            if not cut:
                stamp = "\n"
                unknown += _keep(counts, line)
                continue
        head, _, message = line.partition("]: ")
        found = writers.get(head[cut:])
        if found is None:
            found = _look_up(head[cut:], message)
        handle, pid, service = found
        event = handle(time, pid, service, message)
        if event is not None:
            if event.__class__ is NotUnderstood:
                unknown += _keep(counts, line)
            else:
                append(event)
    counts.read += len(lines)
    counts.not_understood += unknown
    counts.understood += len(events)
    counts.ignored += len(lines) - unknown - len(events)
    counts.steps_back = stamps.steps_back
    return events


def left_out(lines: Sequence[bytes], counts: Counts) -> None:
    """Count lines that the records could not take in as not understood."""
    counts.read += len(lines)
    counts.not_understood += sum(_keep(counts, line.decode("utf-8", "backslashreplace")) for line in lines)


def _keep(counts: Counts, line: str) -> int:
    if line.strip():
        counts.samples.append(redacted(line[:SAMPLE_LENGTH]))
        del counts.samples[:-MOST_SAMPLES]
        return 1
    return 0


_SECRET = re.compile(r"(?i)\b(pass\w*|auth(?:entication)?|sasl\w*|secret|user\w*)\b.*")


def redacted(line: str) -> str:
    """A sample without what may be a password: everything after a word that announces one."""
    return _SECRET.sub(r"\1 [redacted]", line)


def _attempt(time: float, pid: str, service: str, queue_id: str, rest: str) -> Event:
    try:
        recipient, relay, delay, delays, dsn, tail = rest.split(", ", 5)
        plain = relay.startswith("relay=") and tail.startswith("status=") and '"' not in recipient
        if plain and recipient[-1] == ">" and dsn.startswith("dsn="):
            status, _, reply = tail.partition(" (")
            seconds = float(delay[6:])
            if 0 <= seconds < LONGEST_DELAY and status[7:] in STATUSES:
                return _new(Attempt, (
                    time, pid, service, queue_id, recipient[4:-1], "", relay[6:], seconds, delays[7:],
                    dsn[4:], status[7:], reply[:-1],
                ))  # fmt: skip
    except ValueError:
        pass
    match = _ATTEMPT.match(rest)
    if match is None:
        return NotUnderstood(time, rest)
    recipient, orig_to, relay, delay, delays, dsn, status, reply = match.groups(default="")
    try:
        seconds = float(delay)
    except ValueError:
        return NotUnderstood(time, rest)
    if not 0 <= seconds < LONGEST_DELAY or status not in STATUSES:
        return NotUnderstood(time, rest)
    return Attempt(
        time, pid, service, queue_id, recipient, orig_to, relay, seconds, delays, dsn, status, reply
    )


def _smtp(time: float, pid: str, service: str, message: str) -> Event | None:
    """smtp and lmtp: attempts, and with debug_peer_level the conversation among much noise."""
    queue_id, found, rest = message.partition(": ")
    if rest.startswith("to=<"):
        return _attempt(time, pid, service, queue_id, rest)
    lead = message[:2]
    if lead == "< " or lead == "> ":
        return Said(time, pid, service, queue_id[2:], lead == "> ", rest if found else message[2:])
    if " TLS connection " in queue_id:
        match = _SECURED.match(message)
        return Secured(time, pid, service, match[2], match[1], match[3]) if match else None
    if message.startswith("connect to "):
        match = _CONNECT.match(message)
        return Connecting(time, pid, service, match[1], match[2]) if match else None
    if message.startswith("smtp_connect_addr: trying: "):
        return Connecting(time, pid, service, message[27:].removesuffix("..."), "")
    if found and queue_id.isalnum() and rest.startswith(_TROUBLE):
        return Trouble(time, pid, service, queue_id, rest)
    return None


def _agent(time: float, pid: str, service: str, message: str) -> Event | None:
    """The other delivery agents: local, virtual, pipe, error, retry, discard."""
    queue_id, _, rest = message.partition(": ")
    if rest.startswith("to=<"):
        return _attempt(time, pid, service, queue_id, rest)
    return None


def _qmgr(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, found, rest = message.partition(": ")
    if rest == "removed":
        return _new(Removed, (time, queue_id))
    if rest.startswith("from=<"):
        sender, found, tail = rest.rpartition(">, size=")
        if found:
            size, _, nrcpt = tail.partition(", nrcpt=")
            try:
                octets, count = int(size), int(nrcpt.partition(" ")[0])
            except ValueError:
                return NotUnderstood(time, message)
            if not (0 <= octets < MOST_BYTES and 0 <= count < MOST_RECIPIENTS):
                return NotUnderstood(time, message)
            return _new(Active, (time, queue_id, sender[6:], octets, count))
        sender, found, tail = rest[6:].rpartition(">, status=")
        if found and tail.startswith(("expired", "force-expired")):
            return Expired(time, queue_id, sender, tail.startswith("force"))
        return NotUnderstood(time, message)
    if rest.startswith("to=<"):
        return _attempt(time, pid, service, queue_id, rest)
    return None


def _cleanup(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, _, rest = message.partition(": ")
    if rest.startswith("message-id="):
        return _new(MessageId, (time, queue_id, rest[11:]))
    return filtered.cleanup(time, pid, queue_id, rest)


def _smtpd(time: float, pid: str, service: str, message: str) -> Event | None:
    if message.startswith("connect from "):
        return None
    if message.startswith("disconnect from "):  # old versions do not tell what the client did
        return Disconnected(time, pid) if " starttls=" in message or message[-1] == "]" else None
    queue_id, _, rest = message.partition(": ")
    if rest.startswith("client="):
        if rest[-1] == "]":
            name, _, ip = rest[7:-1].partition("[")
            if "]" not in ip:
                return _new(Client, (time, pid, service, queue_id, name, ip, "", "", ""))
        return _client(time, pid, service, queue_id, rest[7:])
    if queue_id.startswith(("lost connection after ", "timeout after ", "too many errors after ")):
        return Lost(time, pid)
    if " TLS connection " in queue_id:
        match = _SECURED_FROM.match(message)
        return SecuredFrom(time, pid, match[2], short(match[1], match[3])) if match else None
    return filtered.smtpd(time, pid, service, queue_id, rest)


def _client(time: float, pid: str, service: str, queue_id: str, rest: str) -> Event:
    client, comma, extra = rest.partition(", ")
    name, _, ip = client.partition("[")
    ip = ip.partition("]")[0]
    if not comma:
        return Client(time, pid, service, queue_id, name, ip)
    extra = ", " + extra
    user, orig_queue_id, orig_client = (
        match[1] if (match := pattern.search(extra)) else ""
        for pattern in (_USER, _ORIG_QUEUE_ID, _ORIG_CLIENT)
    )
    return Client(time, pid, service, queue_id, name, ip, user, orig_queue_id, orig_client)


def _bounce(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, _, rest = message.partition(": ")
    match = _NOTIFICATION.match(rest)
    return Notification(time, queue_id, match[2], match[1], match[3]) if match else None


def _pickup(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, _, rest = message.partition(": ")
    match = _PICKUP.match(rest)
    return Pickup(time, queue_id, match[1], match[2], match[3] or "") if match else None


def _postsuper(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, found, rest = message.partition(": ")
    act = _SUPER.get(rest)
    return Super(time, queue_id, act) if act and found else None


def _postscreen(time: float, pid: str, service: str, message: str) -> Event | None:
    queue_id, _, rest = message.partition(": ")
    return filtered.smtpd(time, pid, service, queue_id, rest) if queue_id == "NOQUEUE" else None


def _silent(time: float, pid: str, service: str, message: str) -> Event | None:
    """Postfix's other programs: nothing in their lines is about one message."""
    return None


def _other(time: float, pid: str, service: str, message: str) -> Event | None:
    """Lines that are not Postfix's."""
    return None


_DAEMONS: dict[str, Handler] = {
    "smtp": _smtp, "lmtp": _smtp, "smtpd": _smtpd, "qmgr": _qmgr, "nqmgr": _qmgr, "oqmgr": _qmgr,
    "cleanup": _cleanup, "local": _agent, "virtual": _agent, "pipe": _agent, "error": _agent, "retry": _agent,
    "discard": _agent, "bounce": _bounce, "defer": _bounce, "trace": _bounce, "pickup": _pickup,
    "postsuper": _postsuper, "postscreen": _postscreen,
}  # fmt: skip
_SILENT = (
    "anvil", "dnsblog", "flush", "master", "postalias", "postcat", "postdrop", "postfix-script",
    "postlog", "postlogd", "postmap", "postmulti", "postqueue", "proxymap", "proxywrite", "qmqpd",
    "scache", "sendmail", "showq", "spawn", "tlsmgr", "tlsproxy", "trivial-rewrite", "verify", "postconf",
    "local-lmtp",
)  # fmt: skip
_DAEMONS.update(dict.fromkeys(_SILENT, _silent))

_WRITERS: dict[str, tuple[Handler, str, str]] = {}


def _look_up(head: str, message: str) -> tuple[Handler, str, str]:
    """Handler, process ID and service for `host syslog_name/service[pid`; syslog_name may hold slashes."""
    ident, bracket, pid = head.rpartition("[")
    name = ident.partition(" ")[2]  # a space in it: the text of some other program's line
    _, slash, service = name.partition("/") if " " not in name else ("", "", "")
    handler = _DAEMONS.get(service.rpartition("/")[2]) if slash and bracket and message else None
    found = (handler or _other, pid, service)
    if handler is None:
        return found
    if len(_WRITERS) >= MOST_WRITERS:
        _WRITERS.clear()
    _WRITERS[head] = found
    return found
