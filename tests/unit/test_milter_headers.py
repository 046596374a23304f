"""Header fields as the records show them, whatever a sender puts into them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.milter import authres
from mailweir.milter.headers import message_id_of, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b" plain", "plain"),
        (b" folded\n\tonce\r\n again", "folded\tonce again"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe_an_alle?=", "Grüße an alle"),
        (b"=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        (b"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding forgotten
        (b"Re: =?iso-8859-1*de?Q?Gr=FC=DFe?= danach", "Re: Grüße danach"),
        (b"=?utf-8?q?one?= \n =?utf-8?q?two?=", "onetwo"),
        (b"=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),  # a character cut apart
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?shift_jis?B?k/qWew==?=", "日本"),
        (b"Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        (b"\xff raw", "\udcff raw"),
        (b"=?x-nonsense?q?a=FFb?=", "a\udcffb"),
        (b"=?zlib?B?eJwDAAAAAAE=?=", "x\udc9c\x03\x00\x00\x00\x00\x01"),
        (b"=?unicode_escape?q?\\u202e?=", "\\u202e"),
        (b"=?utf-8?q?unfinished", "=?utf-8?q?unfinished"),
        (b"", ""),
    ],
)
def test_subjects(value: bytes, text: str) -> None:
    assert text_of(value) == text


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"=?utf-8?q?", b"=?utf-8?b?", b"=?idna?q?", b"=?utf-7?q?"])
)
def test_no_subject_raises(data: bytes, before: bytes) -> None:
    text_of(before + data + b"?=").encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("piece", [b"=?", b"=?a?q?x", b"=?utf-8?q?=", b"=?idna?q?\xff", b"\n "])
def test_hostile_subjects_take_no_time(piece: bytes) -> None:
    began = time.perf_counter()
    text_of(piece * 30_000)
    assert time.perf_counter() - began < 0.5


def test_message_ids() -> None:
    assert message_id_of(b" <a@b> (comment)") == "<a@b>"
    assert message_id_of(b" no brackets ") == "no brackets"
    assert message_id_of(b"") == ""


def domains(*values: bytes) -> set[str]:
    return set(authres.domains_of(authres.results_of(values, ["mx.example.org"])))


@pytest.mark.parametrize(
    ("value", "proven"),
    [
        (b"mx.example.org; dkim=pass header.d=Example.COM header.s=key", {"example.com"}),
        (b"MX.example.org 1; spf=pass smtp.mailfrom=user@example.net", {"example.net"}),
        (b'mx.example.org;\n\tdmarc=pass (p=none; dis=none) header.from="example.com"', {"example.com"}),
        (
            b"mx.example.org; dkim=pass header.i=@news.example.com; spf=fail smtp.mailfrom=b.example",
            {"news.example.com"},
        ),
        (b"mx.example.org; dkim=fail header.d=example.com", set()),
        (b"mx.example.org; dkim=fail (dkim=pass header.d=example.com) header.d=example.com", set()),
        (b'mx.example.org; dkim=fail reason="; dkim=pass header.d=example.com"', set()),
        (b"mx.example.org; spf=pass smtp.helo=example.com", set()),
        (b"mx.example.org; auth=pass header.d=example.com", set()),
        (b"other.example.org; dkim=pass header.d=example.com", set()),
        (b"(mx.example.org;) other.example.org; dkim=pass header.d=example.com", set()),
        (b"mx.example.org; none", set()),
        (b"mx.example.org; dkim=pass =", set()),
        (b"\xff;;;==(((", set()),
        (b"", set()),
    ],
)
def test_proven_domains(value: bytes, proven: set[str]) -> None:
    assert domains(value) == proven


def test_results_in_words_from_what_the_records_keep() -> None:
    value = (
        b"mx.example.org; dkim=pass header.d=Example.COM; spf=fail smtp.mailfrom=a@evil\xe2\x80\xae.example"
    )
    kept = {"results": authres.results_of([value], ["mx.example.org"])}
    assert authres.in_words(authres.stored(kept)) == ["dkim pass Example.COM", "spf fail evil\\u202e.example"]
    for nonsense in (None, [], {"results": None}, {"results": [1, {}, {"method": "x"}]}):
        assert authres.stored(nonsense) == []


def test_nothing_is_believed_unless_a_server_is_trusted() -> None:
    assert authres.results_of([b"; dkim=pass header.d=example.com"], []) == []
    assert authres.results_of([b"; dkim=pass header.d=example.com"], ["mx.example.org"]) == []


@given(st.text(alphabet='mx.example.org;=() "\\dkimpass\n', max_size=200))
def test_no_authentication_results_raise(value: str) -> None:
    domains(b"mx.example.org;" + value.encode())
