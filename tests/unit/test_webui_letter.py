"""A message taken apart for the pages: fields, parts, text, names; whatever it is, nothing of it acts."""

from __future__ import annotations

import pytest

from mailweir.config import Content
from mailweir.webui import letter
from mailweir.webui.letter import Field

MAIL = b"""Received: from x.example\n\tby y.example; Tue, 24 Nov 2026 10:00:00 +0000
Subject: =?utf-8?q?Caf=C3=A9_=3Cb=3E?=
no field at all
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--b
Content-Type: text/html

<script>alert(1)</script>
--b
Content-Type: application/zip
Content-Disposition: attachment; filename="../../a\xe2\x80\xae\r.zip"
Content-Transfer-Encoding: base64

UEsDBA==
--b--
"""


def test_the_fields_of_a_header() -> None:
    fields = letter.header(MAIL)
    assert [field.name for field in fields] == ["Received", "Subject", "", "Content-Type"]
    assert fields[0].lines == ["from x.example", "        by y.example; Tue, 24 Nov 2026 10:00:00 +0000"]
    assert fields[1] == Field("Subject", "=?utf-8?q?Caf=C3=A9_=3Cb=3E?=", "Café <b>")
    assert fields[2].text == "no field at all"
    assert letter.header(b"Subject: =?x-none?b?!?=\n\nbody")[0].meaning == ""
    assert letter.header(b"") == []


def test_a_huge_header_is_bounded() -> None:
    fields = letter.header(b"X: " + b"a" * 10_000_000 + b"\n" + b"Y: 1\n" * 100_000)
    assert len(fields) == letter.MOST_FIELDS and len(fields[0].text) == letter.LONGEST_FIELD


def test_the_parts_of_a_message() -> None:
    parts = letter.parts(MAIL, Content())
    assert parts.trouble == ""
    plain, html, packed = parts.found
    assert (plain.path, plain.type, plain.text) == ("1", "text/plain", "Grüße")
    assert html.text == "<script>alert(1)</script>"
    assert packed.text is None and packed.data == b"PK\x03\x04" and packed.name.endswith(".zip")


@pytest.mark.parametrize("charset", ["none", "idna", "punycode", "hex", "utf-16"])
def test_text_in_whatever_it_says_it_is(charset: str) -> None:
    mail = b"Content-Type: text/plain; charset=%s\n\nabc\xff" % charset.encode()
    assert letter.parts(mail, Content()).found[0].text


def test_what_is_too_much_ends_in_words() -> None:
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 2_000
    parts = letter.parts(many, Content())
    assert len(parts.found) == letter.MOST_PARTS and "parts" in parts.trouble
    long = letter.parts(b"\n" + b"x" * 1_000_000, Content()).found[0]
    assert long.is_cut and long.text is not None and len(long.text) == letter.LONGEST_TEXT


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.zip", "filename=\"a.zip\"; filename*=UTF-8''a.zip"),
        ("../x/Zoë \u202egnp.exe", "filename=\"x_Zoe_gnp.exe\"; filename*=UTF-8''_x_Zo%C3%AB%20_gnp.exe"),
        ('"; filename=evil', "filename=\"filename_evil\"; filename*=UTF-8''%22%3B%20filename%3Devil"),
        ("\r\nSet-Cookie: a", "filename=\"Set-Cookie_a\"; filename*=UTF-8''__Set-Cookie%3A%20a"),
        ("", "filename=\"part\"; filename*=UTF-8''part"),
        ("\udcff", "filename=\"part\"; filename*=UTF-8''_"),
    ],
)
def test_a_file_is_stored_under_a_harmless_name(name: str, header: str) -> None:
    assert letter.attachment(name) == f"attachment; {header}"
