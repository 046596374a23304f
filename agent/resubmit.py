"""Hands mail to one of our own smtpd services: copies of queue files, and the notices that we write.

The service's 250 is Postfix's promise, and names the new queue file. XFORWARD keeps the first client and the
queue ID of the original in the log, which so links the copy to its message (Postfix's XFORWARD_README).
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mailweir.agent.envelope import Addressee, Envelope
from mailweir.errors import Unavailable

CHUNK = 1 << 18  # bytes
_QUEUED = re.compile(r"queued as ([0-9A-Za-z]+)")
_ATOM = re.compile(r"[^\s()<>\[\]:;@\\,\"\x00-\x1f\x7f]+")  # a local part that needs no quotes, dots included
_NOTIFY = {1: "NEVER", 2: "SUCCESS", 4: "FAILURE", 8: "DELAY"}
_RET = {"1": "FULL", "2": "HDRS"}
_XFORWARD = {
    "NAME": "log_client_name",
    "ADDR": "log_client_address",
    "PORT": "log_client_port",
    "HELO": "log_helo_name",
    "PROTO": "log_protocol_name",
}


@dataclass(frozen=True)
class Submission:
    """One message to be handed over; the addresses in Postfix's internal form, without quotes."""

    sender: str
    recipients: Sequence[Addressee]
    parameters: Sequence[str] = ()  # of MAIL FROM
    forward: Mapping[str, str] = field(default_factory=dict)  # XFORWARD's attributes


def copy_of(original: Envelope, recipients: Sequence[Addressee]) -> Submission:
    """A copy of a queue file for some of its recipients, with all that the client said about delivery."""
    attributes = original.attributes
    parameters = []
    if attributes.get("encoding", "8bit") == "8bit":
        parameters.append("BODY=8BITMIME")
    if attributes.get("message_size", "").split()[5:6] not in ([], ["0"]) or not _ascii(original, recipients):
        parameters.append("SMTPUTF8")
    if ret := _RET.get(attributes.get("ret_flags", "")):
        parameters.append(f"RET={ret}")
    if envid := attributes.get("envelope_id"):
        parameters.append(f"ENVID={_xtext(envid)}")
    forward = {name: attributes[key] for name, key in _XFORWARD.items() if attributes.get(key)}
    if ":" in forward.get("ADDR", ""):
        forward["ADDR"] = f"IPV6:{forward['ADDR']}"
    forward["IDENT"] = original.queue_id
    return Submission(original.sender, recipients, parameters, forward)


def submit(service: str, submission: Submission, body: BinaryIO, timeout: float) -> str:
    """Hand over a message whose lines end in LF or CR LF; the new queue ID.

    Raises Unavailable, having handed over nothing, unless the service took it for every recipient. If only
    the answer to the end of the data is lost, the service may have taken it all the same.
    """
    host, _, port = service.rpartition(":")
    try:
        with contextlib.ExitStack() as stack:
            smtp = smtplib.SMTP(timeout=timeout, local_hostname="mailweir")
            stack.callback(smtp.close)
            smtp.command_encoding = "utf-8"
            _expect(smtp.connect(host.strip("[]"), int(port)), 220)
            _expect(smtp.ehlo(), 250)
            for line in _commands(smtp.esmtp_features, submission):
                _expect(smtp.docmd(line), 250)
            _expect(smtp.docmd("DATA"), 354)
            for block in _stuffed(body):
                smtp.send(block)
            reply = _expect(smtp.getreply(), 250)
            with contextlib.suppress(OSError, smtplib.SMTPException):
                smtp.docmd("QUIT")
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise Unavailable(f"handing mail over to {service} failed: {error}") from error
    queued = _QUEUED.search(reply)
    if queued is None:
        raise Unavailable(f"{service} did not tell the queue ID, but: {reply[:80]!r}")
    return queued[1]


def _commands(features: Mapping[str, str], submission: Submission) -> Iterable[str]:
    offered = set(features.get("xforward", "").upper().split())
    forward = [f"{name}={_xtext(value)}" for name, value in submission.forward.items() if name in offered]
    if submission.forward and "IDENT" not in offered:
        raise ValueError("the service does not offer XFORWARD to us: see postfix-example/master.cf")
    if forward:
        yield " ".join(["XFORWARD", *forward])
    yield " ".join([f"MAIL FROM:<{quoted(submission.sender)}>", *submission.parameters])
    for one in submission.recipients:
        words = [f"RCPT TO:<{quoted(one.address)}>"]
        if notify := [word for bit, word in _NOTIFY.items() if one.notify & bit]:
            words.append(f"NOTIFY={','.join(notify)}")
        kind, semicolon, original = one.orcpt.partition(";")
        if semicolon and kind.lower() == "rfc822" and original.isascii():
            words.append(f"ORCPT={kind};{_xtext(original)}")
        yield " ".join(words)


def quoted(address: str) -> str:
    """An address as SMTP wants it, its local part in quotes where needed (RFC 5321, 4.1.2).

    Raises ValueError for one that cannot be written there.
    """
    if "\\x" in address or any(ord(character) < 32 or ord(character) == 127 for character in address):
        raise ValueError(f"the address {address[:80]!r} holds bytes that cannot be sent")
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    plain = (
        _ATOM.fullmatch(local) and not local.startswith(".") and not local.endswith(".") and ".." not in local
    )
    if not plain and local:
        local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
    return f"{local}{at}{domain}"


def _ascii(original: Envelope, recipients: Sequence[Addressee]) -> bool:
    return original.sender.isascii() and all(one.address.isascii() for one in recipients)


def _xtext(value: str) -> str:
    """RFC 3461, section 4: everything but printable ASCII, and + and =, as +XX."""
    data = value.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 33 <= byte <= 126 and byte not in b"+=" else f"+{byte:02X}" for byte in data)


def _expect(reply: tuple[int, bytes], code: int) -> str:
    text = reply[1].decode("utf-8", "replace")
    if reply[0] != code:
        raise ValueError(f"it answered {reply[0]} {text}")
    return text


def _stuffed(body: BinaryIO) -> Iterable[bytes]:
    """The message as DATA wants it: lines end in CR LF, those beginning with a dot have two."""
    ended = True
    while lines := body.readlines(CHUNK):
        block = bytearray()
        for line in lines:
            content = line[:-1] if line.endswith(b"\n") else line
            content = content.removesuffix(b"\r")
            block += (b"." if ended and line.startswith(b".") else b"") + content
            ended = line.endswith(b"\n")
            if ended:
                block += b"\r\n"
        yield bytes(block)
    yield b".\r\n" if ended else b"\r\n.\r\n"
