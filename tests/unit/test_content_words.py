"""Small decisions: clamd's names in our words, passwords in a text, OpenPGP packets, mail by its looks."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import pyzipper

from mailweir.config import Config, Content
from mailweir.content import passwords, pgp_packets, signatures
from mailweir.content.budget import Budget
from mailweir.content.findings import Finding
from mailweir.content.item import Item
from mailweir.content.scanner import Scanner
from mailweir.content.sniff import looks_like_mail
from mailweir.content.walk import Hooks, Walk


def reported(name: str, *before: str, readable: str = "") -> list[str]:
    """Kinds after clamd named `name`, when the walk had found `before`."""
    findings = [Finding(kind, "1") for kind in before]
    walk = Walk(Budget(Content(), 1e12), Hooks(findings.append, lambda _: None))
    if readable:
        walk.unlocked(readable)
    signatures.report(walk, findings, Item("2", "x", b""), name)
    return [finding.kind for finding in findings]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Eicar-Test-Signature", "virus"),
        ("Heuristics.Phishing.Email.SpoofedDomain", "virus"),
        ("Heuristics.Encrypted.Zip", "encrypted-zip"),
        ("Heuristics.Encrypted.RAR", "encrypted-rar"),
        ("Heuristics.Encrypted.7Zip", "encrypted-7z"),
        ("Heuristics.Encrypted.PDF", "encrypted-pdf"),
        ("Heuristics.OLE2.ContainsMacros.VBA", "macro"),
        ("Heuristics.Limits.Exceeded.MaxFileSize", "limit-exceeded"),
    ],
)
def test_clamds_names_in_our_words(name: str, kind: str) -> None:
    assert reported(name) == [kind]


def test_heuristics_do_not_repeat_what_the_walk_found() -> None:
    assert reported("Heuristics.Encrypted.Zip", "encrypted-zip") == ["encrypted-zip"]
    assert reported("Heuristics.Encrypted.Zip", "encrypted-office") == ["encrypted-office"]
    assert reported("Heuristics.Encrypted.Zip", "macro") == ["macro", "encrypted-zip"]
    assert reported("Win.Test", "encrypted-zip") == ["encrypted-zip", "virus"]


def test_heuristics_do_not_contradict_what_the_walk_could_read() -> None:
    assert reported("Heuristics.Encrypted.PDF", readable="encrypted-pdf") == []


def test_a_message_is_marked_as_mail_for_clamd_only_where_needed() -> None:
    assert signatures.as_mail(b"Received: from x\r\n") == b"Received: from x\r\n"
    assert signatures.as_mail(b"X-Spam: no\r\n")[:].startswith(b"From mailweir\nX-Spam")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The password is Tr0ub4dor.", "Tr0ub4dor"),
        ("Passwort: geheim", "geheim"),
        ("Das Kennwort lautet „Sommer2026“.", "Sommer2026"),
        ("mot de passe : été-2026", "été-2026"),
        ("pw=abc", "abc"),
        ("Open it with x9!kk please.", "x9!kk"),
        ("<p>password:&nbsp;<b>a&amp;b1</b></p>", "a&b1"),
    ],
)
def test_words_that_look_like_passwords(text: str, word: str) -> None:
    assert word in passwords.candidates(text.encode(), 20)


def test_at_most_so_many_words_and_no_prose() -> None:
    assert len(passwords.candidates(b"a1b2 " * 3 + b"".join(b"w%dx " % n for n in range(99)), 5)) == 5
    assert passwords.candidates(b"Dear all, see https://example.com/x1 or write to a1@example.com", 9) == []


def test_passwords_in_the_text_are_tried_only_where_that_is_on() -> None:
    packed = io.BytesIO()
    with pyzipper.AESZipFile(
        packed, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(b"Sommer2026")
        archive.writestr("a.txt", b"words")
    message = (
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nPasswort: Sommer2026\r\n"
        b"--b\r\nContent-Type: application/zip\r\n\r\n" + packed.getvalue() + b"\r\n--b--\r\n"
    )
    for allowed, kinds in ((False, ["encrypted-zip"]), (True, [])):
        config = replace(Config(), content=Content(try_body_passwords=allowed))
        scanner = Scanner(config, clamd=False)
        result = scanner.scan_message(io.BytesIO(message), len(message))
        scanner.close()
        assert [finding.kind for finding in result.findings] == kinds


PKESK = bytes([0xC1, 12, 3, *range(8), 1, 0, 0])


def test_a_session_key_alone_is_no_message_unless_declared() -> None:
    assert not pgp_packets.is_encrypted(PKESK)
    assert pgp_packets.is_encrypted(PKESK, declared=True)
    assert pgp_packets.is_encrypted(PKESK + b"\xd2\x05\x01abcd")


@pytest.mark.parametrize("algorithm", [0, 17, 99])
def test_a_session_key_of_no_encryption_algorithm_is_something_else(algorithm: int) -> None:
    packet = bytes([0xC1, 12, 3, *range(8), algorithm, 0, 0])
    assert not pgp_packets.is_encrypted(packet + b"\xd2\x05\x01abcd", declared=True)


def test_partial_lengths_are_joined() -> None:
    data = b"\xcb\xe1ab\xe0c\x03def"
    (packet,) = pgp_packets.packets(data)
    assert pgp_packets.body_of(data, packet) == b"abcdef"


@pytest.mark.parametrize(
    ("head", "is_mail"),
    [
        (b"From: a\r\nSubject: b\r\n\r\n", True),
        (b"From a Mon Jan\nReceived: x\nDate: y\n\n", True),
        (b"MIME-Version: 1.0\nContent-Type: multipart/related\n", True),
        (b"From: a\r\nnothing more of the kind\r\n", False),
        (b"To do: buy milk\nDate: tomorrow\n", False),
        (b"just words\n", False),
    ],
)
def test_mail_by_its_looks(head: bytes, is_mail: bool) -> None:
    assert looks_like_mail(head) is is_mail
