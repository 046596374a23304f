"""OpenPGP packets (RFC 9580, section 4): enough to tell encrypted data from signed, compressed and keys.

Random bytes can look like one packet; so a session key packet's own fields and the packet after it are
checked before anything is called encrypted.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from mailweir.content.item import Buffer

PKESK, SIGNATURE, SKESK, ONE_PASS, COMPRESSED = 1, 2, 3, 4, 8
ENCRYPTED, MARKER, LITERAL, SEIPD, AEAD, PADDING = 9, 10, 11, 18, 20, 21
DATA = (ENCRYPTED, SEIPD, AEAD)
_PUBLIC_KEY = {1, 2, 16, 18, 20, 22, 25, 26, 35, 36}
_CIPHERS = set(range(1, 14))


@dataclass(slots=True)
class Packet:
    """One packet: tag, where its body begins, how long it is (None: to the end, in pieces)."""

    tag: int
    start: int
    length: int | None
    partial: bool = False


def packets(data: Buffer, limit: int = 64) -> Iterator[Packet]:
    """The packets in order, until the end or the first thing that is none."""
    at = 0
    while at < len(data) and limit:
        limit -= 1
        packet = _packet(data, at)
        if packet is None:
            return
        yield packet
        if packet.length is None:
            return
        at = packet.start + packet.length


def _packet(data: Buffer, at: int) -> Packet | None:
    head = data[at : at + 6]
    first = head[0]
    if not first & 0x80 or len(head) < 2:
        return None
    if first & 0x40:
        tag, octet = first & 0x3F, head[1]
        if octet < 192:
            return Packet(tag, at + 2, octet)
        if octet < 224 and len(head) > 2:
            return Packet(tag, at + 3, ((octet - 192) << 8) + head[2] + 192)
        if octet == 255 and len(head) == 6:
            return Packet(tag, at + 6, int.from_bytes(head[2:6], "big"))
        return Packet(tag, at + 2, None, partial=True) if octet >= 224 else None
    tag, size = first >> 2 & 15, first & 3
    if size == 3:
        return Packet(tag, at + 1, None)
    width = 1 << size
    return Packet(tag, at + 1 + width, int.from_bytes(head[1 : 1 + width], "big"))


def is_encrypted(data: Buffer, *, declared: bool = False) -> bool:
    """Whether the packets are an encrypted message.

    declared: the bytes came as armour, or by type or name as OpenPGP, so data without a session key
    packet before it (conventional encryption of old) and a cut-off message count too.
    """
    keys = False
    for packet in packets(data):
        if packet.tag in DATA:
            return keys or (declared and _data_is_whole(data, packet))
        if packet.tag in (PKESK, SKESK):
            if not _session_key(data, packet):
                return False
            keys = True
        elif packet.tag not in (MARKER, PADDING):
            return False
    return keys and declared


def _data_is_whole(data: Buffer, packet: Packet) -> bool:
    if packet.length is None:
        return len(data) - packet.start > 16
    return 16 < packet.length <= len(data) - packet.start


def _session_key(data: Buffer, packet: Packet) -> bool:
    if packet.length is None or not 2 < packet.length < 8192:
        return False
    body = data[packet.start : packet.start + 32]
    if len(body) < 4:
        return False
    if packet.tag == PKESK:
        return (body[0] in (2, 3) and len(body) > 9 and body[9] in _PUBLIC_KEY) or body[0] == 6
    if body[0] == 4:
        return body[1] in _CIPHERS and body[2] in (0, 1, 3, 4)
    return body[0] in (5, 6)


def looks_like(data: Buffer, *, declared: bool = False) -> bool:
    """Whether binary bytes are an OpenPGP message that is worth a look; declared: by type or name."""
    first = data[0]
    if not first & 0x80:
        return False
    tag = first & 0x3F if first & 0x40 else first >> 2 & 15
    if tag in (PKESK, SKESK, MARKER):
        return is_encrypted(data, declared=declared)
    if declared and tag in DATA:
        return is_encrypted(data, declared=True)
    if tag == COMPRESSED:
        inner = decompressed(data, 64)
        return bool(inner) and _begins_message(inner)
    return tag in (ONE_PASS, LITERAL) and _begins_message(data)


def _begins_message(data: Buffer) -> bool:
    packet = _packet(data, 0)
    if not packet:
        return False
    body = data[packet.start : packet.start + 13]
    if packet.tag == ONE_PASS:
        return body[:1] in (b"\x03", b"\x06") and packet.length is not None
    if packet.tag == LITERAL:
        return body[:1] in (b"b", b"t", b"u", b"l", b"1", b"m")
    return packet.tag in (PKESK, SKESK) and _session_key(data, packet)


def decompressed(data: Buffer, limit: int) -> bytes:
    """At most `limit` bytes of what the leading compressed packet holds; empty when it is none."""
    packet = _packet(data, 0)
    if not packet or packet.tag != COMPRESSED:
        return b""
    raw = body_of(data, packet)
    try:
        if raw[:1] == b"\x01":
            return zlib.decompressobj(-15).decompress(raw[1:], limit)
        if raw[:1] == b"\x02":
            return zlib.decompressobj().decompress(raw[1:], limit)
        if raw[:1] == b"\x03":
            return bz2.BZ2Decompressor().decompress(raw[1:], limit)
    except (zlib.error, OSError):
        return b""
    return raw[1:limit] if raw[:1] == b"\x00" else b""


def body_of(data: Buffer, packet: Packet) -> bytes:
    """A packet's body, its partial pieces joined."""
    if not packet.partial:
        end = len(data) if packet.length is None else packet.start + packet.length
        return data[packet.start : end]
    joined = bytearray()
    at = packet.start - 1
    while at < len(data):
        octet = data[at]
        if 224 <= octet < 255:
            size = 1 << (octet & 31)
            joined += data[at + 1 : at + 1 + size]
            at += 1 + size
            continue
        last = _packet(b"\xc0" + data[at : at + 5], 0)
        if last and last.length is not None:
            begin = at + last.start - 1
            joined += data[begin : begin + last.length]
        break
    return bytes(joined)
