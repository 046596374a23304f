"""Damage and bombs, each beside a harmless file that merely resembles it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from corpus import TEXT, Corpus, noise, run
from made_archives import cab, locked_zip, plain_zip
from made_mail import mail, raw
from made_office import HERE, msg
from made_pdf import pdf
from ooxml_parts import docx, sheet

MUCH = 60 << 20  # unpacked: beyond where the ratio counts
SOME = 5 << 20


def make(corpus: Corpus, work: Path) -> None:
    """All of them."""
    _damage(corpus, work)
    _bombs(corpus, work)
    _messages(corpus)


def _damage(corpus: Corpus, work: Path) -> None:
    whole = plain_zip("noise.bin", noise(6000))
    for name, data in (
        ("zip-half", whole[: len(whole) // 2]),
        ("zip-no-end", whole[:-22]),
        ("zip-end-cut", whole[:-10]),
        ("zip-checksum", _flipped(plain_zip("a.txt", noise(500), zipfile.ZIP_STORED), 100)),
        ("zip-deflate", _flipped(plain_zip("a.txt", TEXT * 200), 45, 8)),
        ("zip-directory", _flipped(whole, whole.index(b"PK\x01\x02"), 4)),
    ):
        corpus.add(f"damage-{name}.zip", data, "corrupt")
    document = docx()
    corpus.add("damage-half.docx", document[: len(document) // 2], "corrupt")
    corpus.add("damage-end.docx", document[:-30], "corrupt")
    book = sheet()
    corpus.add("damage-half.xlsx", book[: len(book) // 2], "corrupt")
    with tarfile.open(HERE / "libreoffice.tar.xz") as archive:
        for name in ("plain.doc", "plain.xls", "plain.ppt", "plain.odt"):
            file = archive.extractfile(name)
            assert file
            data = file.read()
            for share in (3, 6, 8):
                corpus.add(f"damage-{share}0-{name}", data[: len(data) * share // 10], "corrupt")
    outlook = msg({"a.bin": noise(3000)})
    corpus.add("damage-half.msg", outlook[: len(outlook) // 2], "corrupt")
    packed = gzip.compress(TEXT * 100 + noise(3000))
    corpus.add("damage-half.gz", packed[: len(packed) // 2], "corrupt")
    corpus.add("damage-checksum.gz", _flipped(packed, len(packed) - 8, 4), "corrupt")
    corpus.add("damage-half.bz2", bz2.compress(noise(9000))[:5000], "corrupt")
    corpus.add("damage-half.xz", lzma.compress(noise(9000))[:5000], "corrupt")
    cabinet = cab({"a.bin": noise(5000), "b.bin": noise(5000)})
    corpus.add("damage-half.cab", cabinet[: len(cabinet) // 2], "corrupt")
    locked = locked_zip("a.bin", noise(4000))
    corpus.add("damage-locked-half.zip", locked[: len(locked) // 2], "corrupt", "encrypted-zip")
    corpus.add("damage-locked-end.zip", locked[:-22], "corrupt", "encrypted-zip")
    corpus.add("damage.pdf", b"%PDF-1.7\n" + noise(3000), "corrupt")
    corpus.add("damage-in-mail.eml", mail(files={"a.zip": whole[:3000]}), "corrupt")
    # Not damaged, or nothing that is known.
    corpus.add("harmless-cut.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01" + noise(300, 4))
    corpus.add("harmless-pk.bin", b"PK is not enough" + noise(700))
    corpus.add("harmless-marks.bin", noise(900) + b"PK\x03\x04" + noise(90) + b"PK\x05\x06" + noise(900))
    corpus.add(
        "harmless-marks.exe",
        b"MZ" + noise(900) + b"Rar!\x1a\x07\x00" + noise(90) + b"7z\xbc\xaf\x27\x1c" + noise(900),
    )
    corpus.add("harmless-ole-word.bin", noise(500) + b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(500))
    corpus.add("harmless-gzip-like.bin", b"\x1f\x8b" + noise(900))
    corpus.add("harmless-der.bin", b"\x30\x82\x01\x0a" + noise(266))
    corpus.add("harmless-pdf-word.txt", b"A PDF begins with %PDF- and a number.\n" * 40)


def _flipped(data: bytes, at: int, count: int = 1) -> bytes:
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + count]) + data[at + count :]


def _bombs(corpus: Corpus, work: Path) -> None:
    zeros = bytes(MUCH)
    some = bytes(SOME)
    bomb = corpus.add("bomb-ratio.zip", plain_zip("zeros.bin", zeros), "limit-exceeded")
    harmless = corpus.add("harmless-ratio.zip", plain_zip("zeros.bin", some))
    corpus.add("bomb-in-zip.zip", plain_zip("a.zip", bomb), "limit-exceeded")
    corpus.add("bomb-in-mail.eml", mail(files={"a.zip": bomb}), "limit-exceeded")
    corpus.add("harmless-in-mail.eml", mail(files={"a.zip": harmless}))
    for suffix, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
        corpus.add(f"bomb.{suffix}", pack(zeros), "limit-exceeded")
        corpus.add(f"harmless.{suffix}", pack(some))
    for name, data, kinds in (("bomb", zeros, ["limit-exceeded"]), ("harmless", some, [])):
        folder = work / name
        folder.mkdir()
        (folder / "zeros.bin").write_bytes(data)
        run("7z", "a", "-mx1", work / f"{name}.7z", "zeros.bin", cwd=folder)
        corpus.take(work / f"{name}.7z", f"{name}.7z", *kinds)
        corpus.add(f"{name}.xlsx", sheet(more={"xl/worksheets/sheet2.xml": b"<worksheet>" + data}), *kinds)
        corpus.add(f"{name}.pdf", pdf(attached=data), *kinds)
    corpus.add("bomb-overlap.zip", overlapping(300), "limit-exceeded")
    corpus.add("bomb-files.zip", many(12_000), "limit-exceeded")
    corpus.add("harmless-files.zip", many(2_000))
    corpus.add("bomb-recursive.zip", recursive(4, 16, 1 << 20), "limit-exceeded")
    corpus.add("harmless-recursive.zip", recursive(2, 4, 1 << 16))


def overlapping(count: int) -> bytes:
    """Directory entries that all lead to the same compressed data."""
    raw = bytes(1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(raw) + packer.flush()
    common = struct.pack("<5H3L", 20, 0, 8, 0, 0, zlib.crc32(raw), len(packed), len(raw))
    local = b"PK\x03\x04" + common + struct.pack("<2H", 1, 0) + b"a" + packed
    entry = b"PK\x01\x02\x14\x00" + common + struct.pack("<5H2L", 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, len(local), 0)
    return local + entry * count + end


def many(count: int) -> bytes:
    """A ZIP of very many files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for index in range(count):
            archive.writestr(f"{index}.txt", b"x")
    return out.getvalue()


def recursive(levels: int, width: int, size: int) -> bytes:
    """Archives of archives of archives: what they hold grows with the power of the level."""
    data = plain_zip("zeros.bin", bytes(size))
    for _ in range(levels - 1):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for index in range(width):
                archive.writestr(f"{index}.zip", data)
        data = out.getvalue()
    return data


def _messages(corpus: Corpus) -> None:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    head = "Content-Type: multipart/mixed; boundary=b"
    corpus.add("parts-many.eml", raw(head, part * 12_000 + b"--b--\r\n"), "limit-exceeded")
    corpus.add("parts-some.eml", raw(head, part * 500 + b"--b--\r\n"))
    for name, levels, kinds in (("deep", 30, ["limit-exceeded"]), ("shallow", 5, [])):
        corpus.add(f"multiparts-{name}.eml", nested_multiparts(levels), *kinds)
        message = mail()
        for _ in range(levels):
            message = raw("Content-Type: message/rfc822", message)
        corpus.add(f"messages-{name}.eml", message, *kinds)


def nested_multiparts(levels: int) -> bytes:
    """Multiparts within each other."""
    body = b"Content-Type: text/plain\r\n\r\nthe end\r\n"
    for level in range(levels):
        mark = f"b{level}".encode()
        body = (
            b"Content-Type: multipart/mixed; boundary="
            + mark
            + b"\r\n\r\n--"
            + mark
            + b"\r\n"
            + body
            + b"\r\n--"
            + mark
            + b"--\r\n"
        )
    return b"From: a@example.com\r\nMIME-Version: 1.0\r\n" + body
