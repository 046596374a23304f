"""RAR 4 and 5 archives of stored files, written from the format notes as no free tool writes them.

Encrypted contents are noise, which is what they are to anybody without the password.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from corpus import TEXT, Corpus, noise
from made_archives import STUB, locked_zip, plain_zip

RAR4, RAR5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"


def make(corpus: Corpus, work: Path) -> None:
    """All RAR files."""
    files = {"figures.txt": TEXT, "letter.txt": TEXT * 30}
    for version, write in ((4, rar4), (5, rar5)):
        plain = corpus.add(f"rar{version}-plain.rar", write(files))
        locked = corpus.add(f"rar{version}-locked.rar", write(files, locked=True), "encrypted-rar")
        headers = corpus.add(f"rar{version}-headers.rar", write(files, headers=True), "encrypted-rar")
        corpus.add(f"rar{version}-plain-named.doc", plain)
        corpus.add(f"rar{version}-locked-named.txt", locked, "encrypted-rar")
        corpus.add(f"rar{version}-sfx-plain.exe", STUB + plain)
        corpus.add(f"rar{version}-sfx-locked.exe", STUB + locked, "encrypted-rar")
        corpus.add(f"rar{version}-sfx-headers.exe", STUB + headers, "encrypted-rar")
        corpus.add(f"rar{version}-in-zip.zip", plain_zip("inner.rar", locked), "encrypted-rar")
        corpus.add(f"zip-locked-in-rar{version}.rar", write({"inner.zip": locked_zip()}), "encrypted-zip")
        corpus.add(f"rar{version}-volume.rar", write(files, split=True), "unsupported")
        corpus.add(f"rar{version}-cut.rar", plain[: len(plain) // 2], "corrupt")


def rar4(
    files: dict[str, bytes], *, locked: bool = False, headers: bool = False, split: bool = False
) -> bytes:
    """RAR 4: marker, archive header, file headers, end."""
    out = RAR4 + _block4(0x73, 0x80 if headers else 0x0001 if split else 0, bytes(6))
    if headers:
        return out + noise(400, 11)
    for index, (name, data) in enumerate(files.items()):
        last = split and index == len(files) - 1
        flags = 0x8000 | (4 if locked else 0) | (2 if last else 0)
        kept = noise(-(-len(data) // 16) * 16, 12) if locked else data
        fields = struct.pack(
            "<2LB2L2BHL", len(kept), len(data), 3, zlib.crc32(data), 0x5A21_0000, 29, 0x30, len(name), 0x81A4
        )
        out += (
            _block4(0x74, flags | (0x400 if locked else 0), fields + name.encode() + bytes(8 * locked)) + kept
        )
    return out + _block4(0x7B, 0x4000 | (1 if split else 0), b"")


def _block4(kind: int, flags: int, fields: bytes) -> bytes:
    head = struct.pack("<B2H", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head


def rar5(
    files: dict[str, bytes], *, locked: bool = False, headers: bool = False, split: bool = False
) -> bytes:
    """RAR 5: signature, main header, file headers, end."""
    out = RAR5
    if headers:
        return out + _block5(vint(4) + vint(0) + vint(0) + vint(1) + b"\x0f" + noise(28, 13)) + noise(400, 14)
    out += _block5(vint(1) + vint(0) + vint(1 if split else 0))
    for index, (name, data) in enumerate(files.items()):
        last = split and index == len(files) - 1
        record = vint(1) + vint(0) + vint(3) + b"\x0f" + noise(16 + 16 + 12, 15)
        extra = vint(len(record)) + record if locked else b""
        kept = noise(-(-len(data) // 16) * 16, 12) if locked else data
        flags = 2 | (1 if locked else 0) | (0x10 if last else 0)
        head = vint(2) + vint(flags) + (vint(len(extra)) if locked else b"") + vint(len(kept))
        head += vint(4) + vint(len(data)) + vint(0o644) + struct.pack("<L", zlib.crc32(data))
        head += vint(0) + vint(1) + vint(len(name)) + name.encode() + extra
        out += _block5(head) + kept
    return out + _block5(vint(5) + vint(0) + vint(1 if split else 0))


def _block5(head: bytes) -> bytes:
    sized = vint(len(head)) + head
    return struct.pack("<L", zlib.crc32(sized)) + sized


def vint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def volumes4(
    name: str, data: bytes, count: int, *, locked: bool = False, old_names: bool = False
) -> list[bytes]:
    """One stored file over so many volumes of RAR 4."""
    out = []
    for index, (piece, last) in enumerate(_pieces(data, count)):
        flags = 0x8000 | (1 if index else 0) | (0 if last else 2) | (4 if locked else 0)
        crc = zlib.crc32(data if last else piece)
        fields = struct.pack(
            "<2LB2L2BHL", len(piece), len(data), 3, crc, 0x5A21_0000, 29, 0x30, len(name), 0x81A4
        )
        head = _block4(0x73, 1 | (0 if old_names else 0x10 if index else 0x110), bytes(6))
        file = _block4(0x74, flags | (0x400 if locked else 0), fields + name.encode() + bytes(8 * locked))
        out.append(RAR4 + head + file + piece + _block4(0x7B, 0x4000 | (0 if last else 1), b""))
    return out


def volumes5(name: str, data: bytes, count: int, *, locked: bool = False) -> list[bytes]:
    """The same of RAR 5."""
    out = []
    for index, (piece, last) in enumerate(_pieces(data, count)):
        record = vint(1) + vint(0) + vint(3) + b"\x0f" + noise(16 + 16 + 12, 15)
        extra = vint(len(record)) + record if locked else b""
        flags = 2 | (1 if locked else 0) | (8 if index else 0) | (0 if last else 0x10)
        head = vint(2) + vint(flags) + (vint(len(extra)) if locked else b"") + vint(len(piece))
        crc = zlib.crc32(data if last else piece)
        head += vint(4) + vint(len(data)) + vint(0o644) + struct.pack("<L", crc)
        head += vint(0) + vint(1) + vint(len(name)) + name.encode() + extra
        main = vint(1) + vint(0) + (vint(3) + vint(index) if index else vint(1))
        out.append(
            RAR5 + _block5(main) + _block5(head) + piece + _block5(vint(5) + vint(0) + vint(0 if last else 1))
        )
    return out


def _pieces(data: bytes, count: int) -> Iterator[tuple[bytes, bool]]:
    """Each volume's piece, and whether it is the last."""
    size = -(-len(data) // count)
    for index in range(count):
        yield data[index * size : (index + 1) * size], index == count - 1
