"""What a file is, by its first (or last) bytes and never by its name.

Returns one of the formats that walk.py knows, or an empty string for what needs no look inside: pictures,
sound, programs and unknown bytes.
"""

from __future__ import annotations

import re

from mailweir.content import pgp_packets, sevenzip_header, zip_directory
from mailweir.content.item import Buffer, Item

HEAD = 4096

_START = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK", "zip"),
    (b"PK00PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07\x00", "rar"),
    (b"Rar!\x1a\x07\x01\x00", "rar"),
    (b"{\\rt", "rtf"),
    (b"MSCF\0\0\0\0", "cab"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP\x01", "lzip"),
    (b"!<arch>\n", "ar"),
    (b"xar!\0\x1c", "xar"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"\x78\x9f\x3e\x22", "tnef"),
    (b"\x76\xe8\x04\x60\xc4\x11\xe3\x86", "rpmsg"),
    (b"ActiveMime", "activemime"),
    (b"\x09\x00\x04\x00", "biff"),
    (b"\x09\x02\x06\x00", "biff"),
    (b"\x09\x04\x06\x00", "biff"),
    (b"\x09\x08\x08\x00", "biff"),
    (b"\x09\x08\x10\x00", "biff"),
    (b"MZ", "program"),
    (b"\x7fELF", "program"),
    (b"\xff\xfe", "utf16"),
    (b"\xfe\xff", "utf16"),
    # Containers that nothing here opens.
    (b"\x60\xea", "arj"),
    (b"MSWIM\0\0\0", "closed"),
    (b"EGGA\0\x01", "closed"),
    (b"ALZ\x01", "closed"),
    (b"ArC\x01", "closed"),
    (b"StuffIt (c)", "closed"),
    (b"vhdxfile", "closed"),
    (b"conectix", "closed"),
    (b"RE~^", "closed"),
    (b"\x89LZO\0\r\n\x1a\n", "closed"),
    (b"LRZI\0", "closed"),
    (b"RZIP\x02", "closed"),
    (b"7kSt\xa0", "closed"),
    (b"zPQ\x01", "closed"),
    (b"zPQ\x02", "closed"),
    (b"ZOO 2.10 Archive", "closed"),
    # Files encrypted by other programs.
    (b"Salted__", "closed"),
    (b"age-encryption.org/", "closed"),
    (b"AES\x01\0", "closed"),
    (b"AES\x02\0", "closed"),
    (b"\xc0\xb9\x07\x2e\x4f\x93\xf1\x46", "closed"),
    (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", "closed"),
    (b"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5", "closed"),
    (b"PWS3", "closed"),
    (b"LUKS\xba\xbe", "closed"),
    (b"encrcdsa", "closed"),
    (b"\xeb\x58\x90-FVE-FS-", "closed"),
    (b"KWALLET\n\r\0\r\n", "closed"),
    (b"$ANSIBLE_VAULT;", "closed"),
)
_BY_FIRST: dict[int, list[tuple[bytes, str]]] = {}
for _signature in _START:
    _BY_FIRST.setdefault(_signature[0][0], []).append(_signature)
_VOLUME = re.compile(r"\.(?:(?:7z|zip|rar|tar|gz|bz2|xz)\.\d{3}|z\d\d)\Z", re.I)
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_LHA = re.compile(rb"..-(?:lh[0-7ds]|lz[45s]|pm[0-2])-", re.S)
_CPIO = re.compile(rb"07070(?:[12][0-9A-Fa-f]{104}|7[0-7]{70})")
_PDF_WITHIN = 1024 + 8
_PDF = re.compile(rb"%PDF-\d")
_CMS = re.compile(
    rb"\x30(?:\x80|[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)"
    rb"\x06[\x09\x0b]\x2a\x86\x48\x86\xf7\x0d\x01(?:\x07|\x09\x10\x01)",
    re.S,
)
_TEXT = bytes({7, 8, 9, 10, 11, 12, 13, 27, *range(32, 256)})
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|\?mso|pkg:|w:|office:)", re.I)
_HEADER = re.compile(rb"(?:>?From [^\n]*\n)?(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+", re.S)
_CONTENT_TYPE = re.compile(rb"^content-type:\s*\w+/", re.I | re.M)
_MAIL = re.compile(
    rb"^(received|return-path|from|date|mime-version|message-id|delivered-to|content-type|subject|to):",
    re.I | re.M,
)


def sniff(item: Item) -> str:
    """The item's format."""
    data = item.data
    head = data[:HEAD]
    if not head:
        return ""
    if item.type in ("message/rfc822", "message/global", "message/external-body"):
        return "message"
    format_ = _binary(item, head) or _textual(head)
    if format_:
        return format_
    if pgp_packets.looks_like(data, declared=says_pgp(item)):
        return "pgp"
    if zip_directory.stands_at_end(data):
        return "zip"
    return "volume" if is_volume(item.name) else ""


def is_volume(name: str) -> bool:
    """Whether the name is that of one piece of a split archive, whose own bytes need not show anything."""
    return _VOLUME.search(name) is not None


def says_pgp(item: Item) -> bool:
    """Whether type or name declare OpenPGP."""
    return "pgp" in item.type or item.name.lower().endswith((".pgp", ".gpg", ".asc"))


def _binary(item: Item, head: bytes) -> str:
    for signature, format_ in _BY_FIRST.get(head[0], ()):
        if head.startswith(signature):
            return "" if format_ == "arj" and not _is_arj(head) else format_
    if b"%PDF-" in head[:_PDF_WITHIN] and _is_pdf(item.data, head):
        return "pdf"
    if _CPIO.match(head):
        return "cpio"
    if head[:2] == b"\x1f\x9d" and head[2] & 0x60 == 0 and 9 <= head[2] & 0x1F <= 16:
        return "compress"
    if head[0] == 0x30 and _CMS.match(head):
        return "cms"
    if head[:3] == b"BZh" and _BZIP2.match(head):
        return "bzip2"
    if head[2:3] == b"-" and _LHA.match(head):
        return "lha"
    if is_tar(head):
        return "tar"
    if head[7:14] == b"**ACE**":
        return "closed"
    volume = item.data[32769:32774]  # ISO 9660 and ECMA-167 both begin in sector 16
    if volume == b"CD001":
        return "iso"
    if volume == b"BEA01" and item.data[34817:34821] == b"NSR0":
        return "closed"
    if head[:3] == b"\x5d\0\0" and item.name.lower().endswith((".lzma", ".tlz")):
        return "lzma"
    return ""


def _is_pdf(data: Buffer, head: bytes) -> bool:
    """Readers accept the mark within the first kilobyte; there it must not be mere talk of PDF."""
    mark = _PDF.search(head, 0, _PDF_WITHIN)
    return mark is not None and (not head[: mark.start()].strip() or data.find(b" obj") >= 0)


def _textual(head: bytes) -> str:
    if looks_like_mail(head):
        return "message"
    if head.translate(None, _TEXT):
        return ""
    if _XML.match(head):
        if b"http://schemas.microsoft.com/office/2006/xmlPackage" in head or b"wordml" in head:
            return "wordxml"
        if b"urn:oasis:names:tc:opendocument:xmlns:office" in head and b"<office:document" in head:
            return "flatodf"
    return "text"


def _is_arj(head: bytes) -> bool:
    size = int.from_bytes(head[2:4], "little")
    return 30 <= size <= 2600 and head[10:11] == b"\x02" and 30 <= head[4] <= 60


def is_tar(head: bytes) -> bool:
    """Whether the first 512 bytes are a tar header: by its checksum, as old tar has no signature."""
    block = head[:512]
    if len(block) < 512 or not block[0]:
        return False
    try:
        told = int(block[148:156].strip(b" \0"), 8)
    except ValueError:
        return False
    total = sum(block) - sum(block[148:156]) + 8 * 32
    return told == total


def looks_like_mail(head: bytes) -> bool:
    """Whether this begins like an RFC 5322 message: a header block with at least two of its fields."""
    block = _HEADER.match(head)
    return block is not None and len({name.lower() for name in _MAIL.findall(block[0])}) >= 2


def looks_like_entity(head: bytes) -> bool:
    """Whether what was signed or compressed is a MIME entity: a header block that names a content type."""
    block = _HEADER.match(head)
    return block is not None and _CONTENT_TYPE.search(block[0]) is not None


def is_message(data: Buffer) -> bool:
    """Whether a file given by hand should be read as a message."""
    return looks_like_mail(data[:HEAD])


def embedded_archive(data: Buffer) -> tuple[int, str]:
    """Where in a program a self-extracting archive begins, and its format; (-1, "") when there is none."""
    at = -1
    while (at := data.find(b"7z\xbc\xaf\x27\x1c", at + 1)) >= 0:
        if sevenzip_header.is_start(data, at):
            return at, "7z"
    while (at := data.find(b"Rar!\x1a\x07", at + 1)) >= 0:
        if data[at + 6 : at + 7] == b"\0" and data[at + 9 : at + 10] == b"\x73":
            return at, "rar"
        if data[at + 6 : at + 8] == b"\x01\0" and data[at + 13 : at + 14] in (b"\x01", b"\x04"):
            return at, "rar"
    return (0, "zip") if zip_directory.stands_at_end(data) else (-1, "")
