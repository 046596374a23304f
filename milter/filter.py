"""Where a message enters: the callbacks that Postfix's milter protocol leads to.

Each step only collects; the answer is given once, at the end of the message. Steps that never answer are
declared so (noreply), which saves a round trip each; such a step must return CONTINUE and must never raise.
"""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import Milter

from mailweir.errors import Unavailable
from mailweir.milter.desk import Answer, Desk
from mailweir.milter.message import (
    ID_FIELD,
    Client,
    Message,
    Recipient,
    address_of,
    bracketed,
    new_message,
)
from mailweir.milter.outcome import Reply, reply_text
from mailweir.policies.verdict import Action

log = logging.getLogger("mailweir.milter")

P = ParamSpec("P")

LOOPBACK = ("127.0.0.1", "::1")
BROKEN = Reply(451, "4.3.0", "temporary failure, please try again later")
DISK_FULL = Reply(451, "4.3.1", "temporary failure, please try again later")
STOPPING = Reply(451, "4.3.2", "the filter is being restarted, please try again")
ACTIONS = Milter.ADDHDRS | Milter.CHGHDRS | Milter.DELRCPT | Milter.QUARANTINE | Milter.SETSYMLIST


def silent(step: Callable[Concatenate[Filter, P], None]) -> Callable[Concatenate[Filter, P], int]:
    """A step without an answer: what goes wrong in it is remembered and answered at the end."""

    @functools.wraps(step)
    def guarded(self: Filter, /, *arguments: P.args, **named: P.kwargs) -> int:
        try:
            step(self, *arguments, **named)
        except Exception as error:  # noqa: BLE001 - an exception here would hang the SMTP session
            self.failure = self.failure or error
        return Milter.CONTINUE

    return Milter.noreply(guarded)


class Filter(Milter.Base):
    """One connection from Postfix; libmilter calls its methods in turn, on changing threads.

    The macros are asked for by name, so it works whatever milter_*_macros say in main.cf.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._connected = Client()
        self._client = Client()
        self._message: Message | None = None
        self.failure: Exception | None = None

    @Milter.symlist("j", "{daemon_name}")
    @silent
    def connect(self, hostname: str, family: int, hostaddr: Any) -> None:
        """The client's name and address; port 0 is Postfix speaking for the sendmail command's user."""
        ip, port = (hostaddr[0], hostaddr[1]) if isinstance(hostaddr, tuple) else ("", 0)
        local = port == 0 and ip in LOOPBACK
        self._connected = self._client = Client(
            name=hostname, ip=ip, daemon=self._macro("{daemon_name}"), server=self._macro("j"), local=local
        )

    # This step does answer: a name that is no UTF-8 raises before we see it, which no silent step may.
    @Milter.symlist("{tls_version}", "{cipher}")
    def hello(self, hostname: str) -> int:
        """HELO or EHLO; again after STARTTLS."""
        tls = f"{self._macro('{tls_version}')} {self._macro('{cipher}')}".strip()
        self._client = self._connected.greeted(hostname, tls)
        return Milter.CONTINUE

    @Milter.symlist("{auth_authen}")
    @silent
    def envfrom(self, path: str, *parameters: str) -> None:
        """MAIL FROM: a message begins."""
        self._forget()
        config = self._desk.config
        self._message = new_message(
            self._client,
            bracketed(path),
            parameters,
            self._macro("{auth_authen}"),
            config.spool_dir,
            config.milter.spool_above,
        )

    @Milter.symlist("{rcpt_mailer}", "{rcpt_addr}")
    @silent
    def envrcpt(self, path: str, *parameters: str) -> None:
        """RCPT TO that Postfix has accepted."""
        address = address_of(path)
        if "@" not in address:
            address = self._macro("{rcpt_addr}") or address  # Postfix has completed it
        recipient = Recipient(bracketed(path), address, self._macro("{rcpt_mailer}"), parameters)
        self._current.recipients[address] = recipient  # given twice, it counts once

    def setsymlist(self, stage: int, *macros: str) -> None:
        """pymilter's own (1.0.5) raises a TypeError, at which every no-reply flag is silently lost."""
        assert self._ctx is not None
        self._ctx.setsymlist(stage, " ".join(macros))

    def header_bytes(self, name: str, value: bytes) -> int:
        """pymilter's own would decode the value."""
        return self.header(name, value)

    @silent
    def header(self, name: str, value: bytes) -> None:
        """One header field; a folded one comes with its line ends."""
        self._current.fields.append((name, value if self._protocol & Milter.P_HDR_LEADSPC else b" " + value))

    @silent
    def eoh(self) -> None:
        """The end of the header."""
        self._current.end_of_headers()

    @silent
    def body(self, chunk: bytes) -> None:
        """The next piece of the body; after a failure the rest is not kept."""
        if not self.failure:
            self._current.spool.write(chunk)

    @Milter.symlist("i")
    def eom(self) -> int:
        """The end of the message: the one answer."""
        try:
            if self.failure:
                raise self.failure
            message = self._current
            message.queue_id = self._macro("i")
            with self._desk.in_hand():
                return self._carry_out(message, self._desk.judge(message))
        except Unavailable:
            return self._reply(STOPPING)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            log.error("%s: message deferred: %s", self._macro("i"), error)
            return self._reply(DISK_FULL if full else BROKEN)
        except Exception:  # whatever it is, the client keeps the message
            log.exception("%s: message deferred because of a fault in the filter", self._macro("i"))
            return self._reply(BROKEN)
        finally:
            self._forget()

    def abort(self) -> int:
        """The client gave the message up."""
        self._forget()
        return Milter.CONTINUE

    def close(self) -> int:
        """The connection has ended."""
        self._forget()
        return Milter.CONTINUE

    def _carry_out(self, message: Message, answer: Answer) -> int:
        """Tell Postfix. An exception here is answered 451, and Postfix then drops all changes."""
        outcome = answer.outcome
        if outcome.action is not Action.ACCEPT:
            log.info("%s: %s %s: %s", message.queue_id, answer.id_text, outcome.action, outcome.reason)
        if outcome.reply:
            return self._reply(outcome.reply)
        if outcome.action is Action.DISCARD:
            return Milter.DISCARD
        for place in range(message.forged, 0, -1):
            self.chgheader(ID_FIELD, place, None)
        self.addheader(
            ID_FIELD, f" {answer.id_text}" if self._protocol & Milter.P_HDR_LEADSPC else answer.id_text
        )
        for recipient in outcome.removed:
            self.delrcpt(recipient.path)
        if outcome.action is Action.STALL:
            self.quarantine(reply_text(outcome.reason))
        return Milter.ACCEPT

    def _reply(self, reply: Reply) -> int:
        self.setreply(str(reply.code), reply.status, reply.text.replace("%", "%%"))
        return Milter.REJECT if reply.code >= 500 else Milter.TEMPFAIL

    @property
    def _current(self) -> Message:
        if self._message is None:
            raise RuntimeError("a step of a message came without MAIL FROM")
        return self._message

    def _macro(self, name: str) -> str:
        """A macro's value; empty when Postfix did not send it, or sent bytes that are no UTF-8."""
        try:
            return self.getsymval(name) or ""
        except UnicodeDecodeError:
            return ""

    def _forget(self) -> None:
        self.failure = None
        if self._message is not None:
            self._message.spool.close()
            self._message = None


Milter.enable_protocols(Filter, Milter.P_HDR_LEADSPC)
