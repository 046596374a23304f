"""Lines in which smtpd, postscreen or cleanup refused, held or changed something.

They end in `from=<…> to=<…> proto=… helo=<…>`, after a text that the administrator, a milter or a policy
server wrote; so they are read from both ends, never by the first thing that looks like a field.
"""

from __future__ import annotations

import re

from mailweir.postlog.events import Event, Filtered, NotUnderstood, Reject

_ACTIONS = (
    "reject", "hold", "discard", "redirect", "filter", "prepend", "replace", "warning", "warn", "info",
    "bcc", "strip", "pass", "quarantine", "reject_warning", "dunno", "delay", "tempfail", "accept",
    "greylist", "ignore",
)  # fmt: skip
_ACTION = re.compile(rf"(milter-|proxy-)?({'|'.join(_ACTIONS)}): ")
_STAGE = re.compile(
    r"(CONNECT|HELO|EHLO|MAIL|RCPT|DATA|END-OF-MESSAGE|END-OF-DATA|VRFY|ETRN|AUTH|STARTTLS|BDAT|UNKNOWN|"
    r"[A-Z][A-Z-]+)(?: from (\S*?)\[([^\]]*)\](?::\d+)?)?: "
)
_CONTENT_STAGE = re.compile(r"(header|mime-header|nested-header|body) ")
_CONTENT_CLIENT = re.compile(r" from (?:local|(\S+?)\[([^\]]*)\])\Z")
_CODE = re.compile(r"([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?")
# smtpd replaces "<>; in a HELO name by question marks, so a tail inside a quoted address cannot end like one.
_ADDRESS = r'(?:"(?:[^"\\]|\\.)*"|[^">])*'
_TAIL = re.compile(
    rf"; (?:from=<(?P<sender>{_ADDRESS})>)?(?:,? ?to=<(?P<recipient>{_ADDRESS})>)?"
    r"(?:,? ?proto=(?P<proto>\w+))?(?:,? ?helo=<(?P<helo>[^<> ]*)>)?(?:,? sasl_username=<?[^ ]*)?"
    r"(?:: (?P<after>.*))?\Z",
    re.DOTALL,
)
_TAIL_START = re.compile(r"; (?=from=<|to=<|proto=|helo=<)")
MOST_TAILS = 16  # tried from the end on; a line made of nothing else must not take quadratic time


class _Parts:
    """An `action: STAGE from client: text; from=<…> …` line taken apart."""

    def __init__(self, rest: str) -> None:
        self.action = self.stage = self.name = self.ip = self.text = ""
        self.proto = self.helo = self.words = ""
        self.sender: str | None = None
        self.recipient: str | None = None
        self.milter = False
        self.ok = self._split(rest)

    def _split(self, rest: str) -> bool:
        action = _ACTION.match(rest)
        if action is None:
            return False
        self.milter = action[1] == "milter-"
        self.action = action[2]
        rest = rest[action.end() :]
        rest = self._tail(rest)
        if stage := _STAGE.match(rest):
            self.stage, self.name, self.ip = stage[1], stage[2] or "", stage[3] or ""
            self.text = rest[stage.end() :]
            return True
        if content := _CONTENT_STAGE.match(rest):
            self.stage, self.text = content[1], rest[content.end() :]
            if client := _CONTENT_CLIENT.search(self.text):
                self.name, self.ip = client[1] or "", client[2] or ""
                self.text = self.text[: client.start()]
            self.text = f"{self.words} ({self.stage}: {self.text})" if self.words else self.text
            return True
        return False

    def _tail(self, rest: str) -> str:
        """Take the tail off; the last place where a whole tail fits is Postfix's own."""
        starts = [found.start() for found in _TAIL_START.finditer(rest)][: -MOST_TAILS - 1 : -1]
        fitting = [match for start in starts if (match := _TAIL.match(rest, start))]
        # The administrator's words after it may look like one too, but not have the client's HELO.
        match = next((match for match in fitting if match["helo"]), fitting[0] if fitting else None)
        if match is None:
            return rest
        self.sender, self.recipient = match["sender"], match["recipient"]
        self.proto, self.helo = match["proto"] or "", match["helo"] or ""
        self.words = match["after"] or ""  # the administrator's, after header_checks' tail
        return rest[: match.start()]


def cleanup(time: float, pid: str, queue_id: str, rest: str) -> Event | None:
    """What cleanup's filters did: milter-…, header_checks, body_checks. None: nothing for the records."""
    if _ACTION.match(rest) is None:
        return None
    parts = _Parts(rest)
    if not parts.ok:
        return None if rest.startswith(("warning: ", "info: ")) else NotUnderstood(time, rest)
    return Filtered(
        time, pid, queue_id, parts.action, parts.stage, parts.name, parts.ip, parts.text,
        parts.sender or "", parts.recipient or "", parts.helo, parts.milter,
    )  # fmt: skip


# What nearly all refusals look like, in one go; whatever does not fit is taken apart with more care.
_COMMON = re.compile(
    r"reject: ([A-Z-]+) from (\S*?)\[([^\]]*)\](?::\d+)?: (([245]\d\d) (?:([245]\.\d{1,3}\.\d{1,3}) )?.*)"
    r'; from=<([^"<>]*)>,? to=<([^"<>]*)>,? proto=(\w+),? helo=<([^<> ]*)>\Z',
    re.DOTALL,
)


def smtpd(time: float, pid: str, service: str, queue_id: str, rest: str) -> Event | None:
    """What smtpd or postscreen refused or an access table ordered. None: nothing for the records."""
    noqueue = "" if queue_id == "NOQUEUE" else queue_id
    if common := _COMMON.match(rest):
        stage, name, ip, text, code_text, dsn, sender, recipient, proto, helo = common.groups(default="")
        return Reject(
            time,
            pid,
            service,
            noqueue,
            stage,
            name,
            ip,
            int(code_text),
            dsn,
            text,
            sender,
            recipient,
            proto,
            helo,
        )
    if _ACTION.match(rest) is None:
        return None
    parts = _Parts(rest)
    if not parts.ok:
        return None if rest.startswith(("warning: ", "info: ")) else NotUnderstood(time, rest)
    if parts.action == "reject":
        code = _CODE.match(parts.text)
        return Reject(
            time, pid, service, noqueue, parts.stage, parts.name, parts.ip, int(code[1]) if code else 0,
            (code[2] or "") if code else "", parts.text, parts.sender, parts.recipient, parts.proto,
            parts.helo,
        )  # fmt: skip
    return Filtered(
        time, pid, noqueue, parts.action, parts.stage, parts.name, parts.ip, parts.text,
        parts.sender or "", parts.recipient or "", parts.helo, parts.milter,
    )  # fmt: skip
