"""OpenPGP messages, armoured or binary: encrypted ones are a finding, signed ones are opened."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from mailweir.content import pgp_packets, transfer
from mailweir.content.item import Buffer, Item
from mailweir.content.sniff import HEAD, looks_like_entity, says_pgp
from mailweir.content.walk import Walk

MARK = b"-----BEGIN PGP MESSAGE"
_ARMOUR = re.compile(
    rb"-----BEGIN PGP MESSAGE(?:, PART [^-\n]*)?-----[ \t]*\r?\n(.*?)(?:-----END PGP MESSAGE|\Z)", re.S
)
_BREAK = re.compile(rb"<(?:br|/p|/div|/li|/tr)\b[^>]*>", re.I)
_TAG = re.compile(rb"<[^<>]*>")
_QUOTE = re.compile(rb"^(?:[ \t]*[>|])+[ \t]?", re.M)
_MAX_INNER = 1 << 26


def look(walk: Walk, item: Item) -> None:
    """A binary OpenPGP message."""
    declared = says_pgp(item)
    data: Buffer = item.data
    if pgp_packets.is_encrypted(data, declared=declared):
        walk.found("pgp-encrypted", item, _how(data))
        return
    for _ in range(8):  # compressed in compressed is allowed, but not without end
        inner = pgp_packets.decompressed(data, _MAX_INNER)
        if not inner:
            break
        walk.budget.taker(len(data))(len(inner))
        data = inner
        if pgp_packets.is_encrypted(data, declared=True):
            walk.found("pgp-encrypted", item, _how(data))
            return
    for packet in pgp_packets.packets(data):
        if packet.tag == pgp_packets.LITERAL:
            body = pgp_packets.body_of(data, packet)
            length = body[1] if len(body) > 1 else 0
            inside = item.member(body[2 : 2 + length].decode("utf-8", "replace") or "pgp", body[6 + length :])
            if looks_like_entity(inside.data[:HEAD]):
                inside.type = "message/rfc822"
            walk.opened(inside)
            walk.look(inside)


def armoured(walk: Walk, item: Item) -> None:
    """Every armoured message within a text or HTML part."""
    for data in blocks(item.data):
        if pgp_packets.is_encrypted(data, declared=True):
            walk.found("pgp-encrypted", item, _how(data))
        elif data:
            walk.look_as("pgp", item.member("", data, "application/pgp"))


def _how(data: bytes | Buffer) -> str:
    tags = {packet.tag for packet in pgp_packets.packets(data)}
    return "with a passphrase" if pgp_packets.PKESK not in tags and pgp_packets.SKESK in tags else "to a key"


def blocks(text: Buffer) -> Iterator[bytes]:
    """The bytes of each armoured message in the text (RFC 9580, section 6), quoted or within HTML."""
    plain = text[:]
    if re.search(rb"<(?:br|p|div|pre|html|body)\b", plain, re.I):
        plain = _TAG.sub(b"", _BREAK.sub(b"\n", plain))
        plain = html.unescape(plain.decode("latin-1")).replace("\xa0", " ").encode("latin-1", "replace")
    if MARK not in plain:
        return
    plain = _QUOTE.sub(b"", plain)
    for armour in _ARMOUR.finditer(plain):
        yield _decoded(armour[1])


def _decoded(armour: bytes) -> bytes:
    """Headers and checksum left out."""
    lines = [line.strip() for line in armour.splitlines()]
    while lines and (not lines[0] or b": " in lines[0]):
        lines.pop(0)
    kept = b"".join(line for line in lines if line and not (line.startswith(b"=") and len(line) == 5))
    return transfer.base64(kept)
