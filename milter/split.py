"""Hands a copy of a message, for some of its recipients, to the smtpd that holds all it is given.

Its 250 means that Postfix has the copy on disk, so the recipients can then be taken off the original.
XFORWARD makes the log link the two: `client=…, orig_queue_id=FIRST` (Postfix's XFORWARD_README).
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import smtplib
from collections.abc import Sequence

from mailweir.errors import Unavailable
from mailweir.milter.message import ID_FIELD, Message, Recipient, header_block

CHUNK = 65_536  # bytes
_KEPT = re.compile(r"(?:BODY|SMTPUTF8|RET|ENVID|NOTIFY|ORCPT)(?:=|$)", re.IGNORECASE)  # not SIZE or AUTH

# What both Postfix and we read in the same way: no quotes, comments, routes, literals or stray bytes.
_PLAIN = re.compile(r"<[^\s\"\\(),:;<>@\[\]\x00-\x1f\x7f\udc80-\udcff]+@[\w.-]+>")


def can_be_named(recipient: Recipient) -> bool:
    """Whether Postfix surely takes off the recipient that we name.

    It does not say whether it did, and compares with the address as it understood it: of
    `<@relay:user@example.org>` only `user@example.org`. And `<postmaster>` is let past every restriction.
    """
    return _PLAIN.fullmatch(recipient.path) is not None


def hand_over(
    message: Message,
    recipients: Sequence[Recipient],
    id_text: str,
    *,
    service: str,
    timeout: float,
    now: float,
) -> str:
    """Submit the copy to `service` (host:port); the server's reply to the end of the data.

    Raises Unavailable, having submitted nothing that anybody would miss, when it did not answer 250.
    """
    host, _, port = service.rpartition(":")
    try:
        with contextlib.ExitStack() as stack:
            smtp = smtplib.SMTP(timeout=timeout)
            stack.callback(smtp.close)
            _expect(smtp.connect(host.strip("[]"), int(port)), 220)
            _expect(smtp.ehlo("mailweir"), 250)
            if not smtp.has_extn("xforward"):
                # Without it this is hardly the service made for us, and another one might not hold mail.
                raise Unavailable(f"{service} does not offer XFORWARD to us: see postfix-example/master.cf")
            for line in _envelope(smtp, message, recipients):
                _expect(_command(smtp, line), 250)
            _expect(_command(smtp, "DATA"), 354)
            _send_data(smtp, message, id_text, now)
            reply = _expect(smtp.getreply(), 250)
            with contextlib.suppress(OSError, smtplib.SMTPException):
                _command(smtp, "QUIT")
            return reply
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unavailable(f"handing mail over to {service} failed: {error}") from error


def _envelope(smtp: smtplib.SMTP, message: Message, recipients: Sequence[Recipient]) -> list[str]:
    client = message.client
    address = f"IPV6:{client.ip}" if ":" in client.ip else client.ip
    known = {"NAME": client.name, "ADDR": address, "HELO": client.helo, "IDENT": message.queue_id}
    offered = set(smtp.esmtp_features["xforward"].upper().split())
    forward = [f"{key}={_xtext(value) or '[UNAVAILABLE]'}" for key, value in known.items() if key in offered]
    return [
        " ".join(["XFORWARD", *forward]),
        " ".join([f"MAIL FROM:{message.path}", *filter(_KEPT.match, message.parameters)]),
        *(" ".join([f"RCPT TO:{one.path}", *filter(_KEPT.match, one.parameters)]) for one in recipients),
    ]


def _xtext(value: str) -> str:
    """RFC 3461, section 4: everything but printable ASCII, and + and =, as +XX."""
    data = value.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}" for byte in data)


def _command(smtp: smtplib.SMTP, line: str) -> tuple[int, bytes]:
    data = line.encode("utf-8", "surrogateescape")
    if re.search(rb"[\r\n\0]", data):
        raise ValueError(f"a line end inside an SMTP command: {data!r}")
    smtp.send(data + b"\r\n")
    return smtp.getreply()


def _expect(reply: tuple[int, bytes], code: int) -> str:
    text = reply[1].decode("utf-8", "replace")
    if reply[0] != code:
        raise Unavailable(f"the holding service answered {reply[0]} {text}")
    return text


def _send_data(smtp: smtplib.SMTP, message: Message, id_text: str, now: float) -> None:
    kept = [(name, value) for name, value in message.fields if name.rstrip().lower() != ID_FIELD.lower()]
    smtp.send(_stuffed(_received(message, now).encode("utf-8", "surrogateescape")))
    smtp.send(_stuffed(header_block(kept)) + f"{ID_FIELD}: {id_text}\r\n\r\n".encode("ascii"))
    last = b"\n"
    for chunk in message.spool.chunks(message.body_offset, CHUNK):
        smtp.send(_stuffed(chunk, last))
        last = chunk[-1:]
    smtp.send(b".\r\n" if last == b"\n" else b"\r\n.\r\n")


def _stuffed(block: bytes, before: bytes = b"\n") -> bytes:
    """Double the dots that begin lines (RFC 5321, 4.5.2); `before` is the byte sent last."""
    return (b"." if before == b"\n" and block[:1] == b"." else b"") + block.replace(b"\n.", b"\n..")


def _received(message: Message, now: float) -> str:
    """The trace of the first reception, which Postfix keeps from filters, so that the copy has it too."""
    client = message.client
    helo = re.sub(r"[^!-~]", "?", client.helo)
    return (
        f"Received: from {helo or 'unknown'} ({client.name or 'unknown'} [{client.ip or 'unknown'}])\r\n"
        f"\tby {client.server or 'localhost'} (Mailweir, for some recipients) id {message.queue_id};\r\n"
        f"\t{email.utils.formatdate(now)}\r\n"
    )
