"""What a part's header says of its type, encoding and file name, read leniently as mail programs do.

RFC 2045 parameters, RFC 2231 continuations and character sets, and RFC 2047 words where they do not belong
but are common.
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from mailweir import charsets

_FIELD = re.compile(
    rb"^content-(type|transfer-encoding|disposition)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I | re.M
)
_PARAM = re.compile(rb';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))', re.S)
_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=(?:\s+(?==\?))?", re.I)
_CONTINUED = re.compile(r"(.+?)\*(?:(\d+)(\*?))?\Z")


class Header:
    """The three fields that matter, of one header block."""

    __slots__ = ("disposition", "encoding", "params", "type")

    def __init__(self, block: bytes, default_type: bytes = b"text/plain") -> None:
        fields: dict[bytes, bytes] = {}
        for name, value in _FIELD.findall(block):
            fields.setdefault(name.lower(), value)
        type_ = fields.get(b"type", default_type)
        disposition = fields.get(b"disposition", b"")
        self.type = _token(type_) or "text/plain"
        self.disposition = _token(disposition)
        self.encoding = _token(fields.get(b"transfer-encoding", b""))
        self.params = _params(disposition) | _params(type_)

    @property
    def boundary(self) -> bytes:
        """The boundary of a multipart, else empty."""
        if not self.type.startswith("multipart/"):
            return b""
        return self.params.get("boundary", "").rstrip().encode("latin-1", "replace")

    @property
    def filename(self) -> str:
        """The decoded file name, or an empty string."""
        return clean_name(self.params.get("filename") or self.params.get("name") or "")

    @property
    def says_enveloped(self) -> bool:
        """Whether this is declared to be encrypted S/MIME (RFC 8551, 3.2)."""
        kind = self.params.get("smime-type", "").lower()
        return self.type in ("application/pkcs7-mime", "application/x-pkcs7-mime") and "enveloped" in kind

    @property
    def says_pgp_encrypted(self) -> bool:
        """Whether this is declared to be PGP/MIME encrypted (RFC 3156, 4)."""
        return self.type == "multipart/encrypted" and "pgp" in self.params.get("protocol", "pgp").lower()


def clean_name(name: str) -> str:
    """A file name on one line, slashes as separators, not longer than file names are."""
    return " ".join(name.replace("\\", "/").replace("\0", "").split())[-255:]


def _token(value: bytes) -> str:
    return value.partition(b";")[0].partition(b"(")[0].strip().lower().decode("latin-1")


def _params(value: bytes) -> dict[str, str]:
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, bytes]]] = {}
    for raw_name, quoted, bare in _PARAM.findall(value):
        name = raw_name.decode("latin-1").lower()
        text = re.sub(rb"\\(.)", rb"\1", quoted) if quoted else bare.strip()
        text = re.sub(rb"\r?\n", b"", text)
        continued = _CONTINUED.match(name)
        if not continued:
            plain.setdefault(name, _words(text))
            continue
        base, index, star = continued.groups()
        pieces.setdefault(base, []).append((int(index or 0), index is None or bool(star), text))
    return plain | {base: _joined(found) for base, found in pieces.items()}


def _joined(pieces: list[tuple[int, bool, bytes]]) -> str:
    """RFC 2231: pieces in order, percent-decoded where marked, in the character set that the first names."""
    charset, whole = "utf-8", b""
    for index, (_, encoded, text) in enumerate(sorted(pieces, key=lambda piece: piece[0])):
        if encoded and not index and text.count(b"'") >= 2:
            name, _, text = text.split(b"'", 2)
            charset = name.decode("latin-1") or charset
        whole += unquote_to_bytes(text) if encoded else text
    return _text(whole, charset)


def _words(text: bytes) -> str:
    """A parameter's text with RFC 2047 words decoded."""
    plain = _text(text, "utf-8")
    return _WORD.sub(_word, plain) if "=?" in plain else plain


def _word(match: re.Match[str]) -> str:
    charset, kind, text = match.groups()
    try:
        raw = (
            binascii.a2b_base64(text + "==")
            if kind in "bB"
            else binascii.a2b_qp(text.encode("ascii", "replace"), header=True)
        )
    except ValueError:
        return match[0]
    return _text(raw, charset.partition("*")[0])


def _text(raw: bytes, charset: str) -> str:
    text = charsets.decode(raw, charset)
    return raw.decode("utf-8", "surrogateescape") if text is None else text
