"""The bytes-level walk through MIME parts: numbers, names, encodings, and what senders get wrong."""

from __future__ import annotations

import base64
import binascii
import io

import py7zr
import pytest

from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.content.headers import Header
from mailweir.content.scanner import Scanner
from mailweir.content.transfer import decode


def scan(message: bytes) -> Scan:
    """Scan without clamd; nothing here needs a child process."""
    scanner = Scanner(Config(), clamd=False)
    try:
        return scanner.scan_message(io.BytesIO(message), len(message))
    finally:
        scanner.close()


def parts(message: bytes) -> list[tuple[str, int]]:
    """Part and size of each attachment."""
    return [(attachment.part, attachment.size) for attachment in scan(message).attachments]


def multipart(*bodies: bytes, boundary: str = "b", end: bytes = b"--b--\r\n") -> bytes:
    mark = b"--" + boundary.encode() + b"\r\n"
    head = f'From: a@b\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(mark + body + b"\r\n" for body in bodies) + end


FILE = b"Content-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"


def test_parts_are_numbered_as_imap_does() -> None:
    inner = multipart(b"\r\ntext", FILE + b"AAAA", boundary="c", end=b"--c--\r\n").replace(
        b"From: a@b\r\n", b""
    )
    message = multipart(b"\r\ntext", inner, FILE + b"AAAAAAAA")
    assert parts(message) == [("2.2/x.bin", 3), ("3/x.bin", 6)]


def test_a_single_part_is_number_one() -> None:
    assert parts(b"From: a@b\r\n" + FILE + b"AAAA\r\n") == [("1/x.bin", 3)]


def test_parts_of_a_forwarded_message_carry_its_path() -> None:
    inner = multipart(b"\r\ntext", FILE + b"AAAA")
    outer = multipart(b"Content-Type: message/rfc822\r\n\r\n" + inner, boundary="o", end=b"--o--\r\n")
    assert ("1.2/x.bin", 3) in parts(outer)


@pytest.mark.parametrize("end", [b"", b"--b--", b"--b-- \r\n", b"--b--\r\nepilogue --b\r\n"])
def test_a_missing_or_odd_end_does_not_matter(end: bytes) -> None:
    assert parts(multipart(FILE + b"AAAA", end=end))[0] == ("1/x.bin", 3)


def test_a_longer_boundary_with_the_same_beginning_is_another() -> None:
    message = multipart(FILE + b"AAAA\r\n--bb\r\nAAAA")
    assert len(parts(message)) == 1


def test_line_ends_may_be_bare() -> None:
    assert parts(multipart(b"\n", FILE + b"AAAA").replace(b"\r\n", b"\n")) == [("2/x.bin", 3)]


def test_body_is_looked_at_when_the_boundary_never_comes() -> None:
    armour = base64.encodebytes(b"\x8c\x0d\x04\x09\x03\x08" + bytes(9) + b"\xd2\x10\x01" + bytes(15)).decode()
    text = f"-----BEGIN PGP MESSAGE-----\r\n\r\n{armour}-----END PGP MESSAGE-----\r\n"
    message = b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + text.encode()
    assert [finding.kind for finding in scan(message).findings] == ["pgp-encrypted"]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('Content-Disposition: attachment; filename="a b.txt"', "a b.txt"),
        ("Content-Disposition: attachment; filename=a b.txt", "a b.txt"),
        ("Content-Type: text/plain; name*=utf-8''M%C3%A4rz.txt", "März.txt"),
        ("Content-Type: text/plain; name*0*=iso-8859-1''M%E4; name*1=rz.txt", "März.txt"),
        ('Content-Type: text/plain; name="=?utf-8?B?TcOkcnoudHh0?="', "März.txt"),
        ('Content-Type: text/plain; name="=?utf-8?Q?M=C3=A4rz?=\r\n =?utf-8?Q?.txt?="', "März.txt"),
        ('Content-Type: text/plain; name="C:\\\\folder\\\\x.txt"', "C:/folder/x.txt"),
        ("Content-Type: text/plain;\r\n\tname=x.txt", "x.txt"),
        ('Content-Type: text/plain; name="x\r\n y.txt"', "x y.txt"),
        ('Content-Type: text/plain; name="=?no-such?B?eA==?="', "x"),
        ("Content-Type: text/plain", ""),
    ],
)
def test_file_names(field: str, name: str) -> None:
    assert Header(field.encode() + b"\r\n").filename == name


@pytest.mark.parametrize(
    "encoded",
    [
        base64.encodebytes(b"some bytes, and more of them"),
        base64.encodebytes(b"some bytes, and more of them").replace(b"\n", b"\r\n!\x80 \r\n"),
        base64.b64encode(b"some bytes, and more of them").rstrip(b"="),
        base64.b64encode(b"some bytes,") + b"\r\n" + base64.b64encode(b" and more of them"),
        base64.b64encode(b"some bytes, and more of them") + b"\r\n\r\n-- \r\n",
    ],
)
def test_base64_is_read_as_mail_programs_read_it(encoded: bytes) -> None:
    taken: list[int] = []
    plain = decode(encoded, 0, len(encoded), "base64", taken.append)
    assert plain[:28] == b"some bytes, and more of them"
    assert sum(taken) == len(plain)


def test_large_base64_is_the_same_in_pieces() -> None:
    data = bytes(range(256)) * 20_000
    encoded = base64.encodebytes(data)
    plain = decode(encoded, 0, len(encoded), "base64", lambda _: None)
    assert len(plain) == len(data)
    assert plain[:] == data


def test_uuencoded_part() -> None:
    body = b"begin 644 x.bin\n" + binascii.b2a_uu(b"content") + b"`\nend\n"
    assert decode(body, 0, len(body), "x-uuencode", lambda _: None) == b"content"


def test_attachments_are_listed_with_their_digest() -> None:
    (attachment,) = scan(multipart(b"\r\ntext", FILE + b"AAAA")).attachments
    assert attachment.type == "application/octet-stream"
    assert attachment.name == "x.bin"
    assert attachment.sha256 == "709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c"


def test_text_without_a_blank_line_before_it_is_looked_at_too() -> None:
    armour = base64.encodebytes(b"\x8c\x0d\x04\x09\x03\x08" + bytes(9) + b"\xd2\x10\x01" + bytes(15)).decode()
    text = f"-----BEGIN PGP MESSAGE-----\r\n\r\n{armour}-----END PGP MESSAGE-----\r\n".encode()
    message = multipart(b"Content-Type: text/plain\r\nHello,\r\n" + text.replace(b"\r\n\r\n", b"\r\n"))
    assert [finding.kind for finding in scan(message).findings] == ["pgp-encrypted"]


def test_fields_after_a_malformed_line_still_count() -> None:
    message = multipart(FILE + b"AAAA").replace(b"From: a@b\r\n", b"From: a@b\r\nnot a field\r\n")
    assert parts(message) == [("1/x.bin", 3)]


def attached(name: str, data: bytes) -> bytes:
    head = f"Content-Type: application/octet-stream; name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.b64encode(data)


def archive(password: str | None = None) -> bytes:
    """A 7z archive with an encrypted or a plain file in it."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password=password) as packed:
        packed.writestr("words " * 50, "letter.txt")
    return out.getvalue()


def found(*parts_: bytes) -> list[tuple[str, str]]:
    return [(finding.kind, finding.part) for finding in scan(multipart(b"\r\ntext", *parts_)).findings]


def test_the_pieces_of_a_split_archive_are_put_together() -> None:
    plain, locked = archive(), archive("secret")
    names = ("A.7z.001", "a.7z.002", "a.7z.003")
    for data, kinds in ((plain, []), (locked, [("encrypted-7z", "3/A.7z")])):
        third = len(data) // 3
        one, two, three = data[:third], data[third : 2 * third], data[2 * third :]
        pieces = [attached(name, piece) for name, piece in zip(names, (one, two, three), strict=True)]
        assert found(pieces[1], pieces[0], pieces[2]) == kinds
        lacking = found(pieces[0], pieces[2])
        assert [kind for kind, _ in lacking] == ["unsupported", "unsupported"]
        assert found(*pieces, pieces[1]) != kinds  # which of the two is meant, nobody can tell
    broken = scan(multipart(b"\r\ntext", attached("x.zip.001", b"PK"), attached("x.zip.002", b"\3\4")))
    assert [finding.part for finding in broken.findings] == ["2/x.zip"]
