"""The sample files, made from nothing: encrypted zip, workbook with macro, tracked document, encrypted PDF.

They are real: each opens in the program that it is for, and nothing in them does anything.
"""

from __future__ import annotations

import io
import struct
import zipfile

import pikepdf
import pyzipper

from trial.compound import compound_file

PASSWORD = "open sesame"  # noqa: S105 (the samples are there to be opened)
TEXT = b"Quarterly figures, made up for a trial.\n"

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

MACRO = 'Attribute VB_Name = "Module1"\r\nSub Hello()\r\n    MsgBox "Hello from the trial"\r\nEnd Sub\r\n'
PROJECT = 'ID="{00000000-0000-0000-0000-000000000000}"\r\nModule=Module1\r\nName="VBAProject"\r\n'


def encrypted_zip() -> bytes:
    """A zip whose member needs a password (AES)."""
    packed = io.BytesIO()
    with pyzipper.AESZipFile(
        packed, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(PASSWORD.encode())
        archive.writestr("figures.txt", TEXT)
    return packed.getvalue()


def encrypted_pdf() -> bytes:
    """A PDF of one empty page that does not open without a password."""
    packed = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(packed, encryption=pikepdf.Encryption(user=PASSWORD, owner=PASSWORD))
    return packed.getvalue()


def tracked_docx() -> bytes:
    """A Word document with an insertion and a deletion that nobody has accepted yet."""
    by = 'w:author="A. Clerk" w:date="2026-01-01T00:00:00Z"'
    return _package(
        "word/document.xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        {
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body><w:p>'
            "<w:r><w:t>We agree to pay </w:t></w:r>"
            f'<w:del w:id="1" {by}><w:r><w:delText>90</w:delText></w:r></w:del>'
            f'<w:ins w:id="2" {by}><w:r><w:t>100</w:t></w:r></w:ins>'
            "</w:p></w:body></w:document>",
        },
    )


def macro_xlsm() -> bytes:
    """An Excel workbook with a macro in it."""
    return _package(
        "xl/workbook.xml",
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
            '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData/></worksheet>',
            "xl/_rels/workbook.xml.rels": _relations(
                (f"{_OFFICE}/worksheet", "worksheets/sheet1.xml"),
                ("http://schemas.microsoft.com/office/2006/relationships/vbaProject", "vbaProject.bin"),
            ),
            "xl/vbaProject.bin": vba_project(),
        },
        {
            "/xl/worksheets/sheet1.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml"
            ".worksheet+xml",
            "/xl/vbaProject.bin": "application/vnd.ms-office.vbaProject",
        },
    )


def vba_project() -> bytes:
    """A VBA project of one module, as Office keeps it in vbaProject.bin. [MS-OVBA]"""
    return compound_file(
        {
            "PROJECT": PROJECT.encode(),
            "VBA": {
                "_VBA_PROJECT": struct.pack("<HHBH", 0x61CC, 0xFFFF, 0, 0),
                "dir": _compressed(_dir_stream("Module1")),
                "Module1": _compressed(MACRO.encode()),
            },
        }
    )


def _dir_stream(module: str) -> bytes:
    """The records that describe project and module: number, length, value. [MS-OVBA] 2.3.4.2"""
    name, wide = module.encode(), module.encode("utf-16-le")
    records: list[tuple[int, bytes]] = [
        (0x01, struct.pack("<I", 1)),  # 32 bit Windows
        (0x02, struct.pack("<I", 0x409)),
        (0x14, struct.pack("<I", 0x409)),
        (0x03, struct.pack("<H", 1252)),  # code page
        (0x04, b"VBAProject"),
        (0x05, b""),
        (0x40, b""),
        (0x06, b""),
        (0x3D, b""),
        (0x07, bytes(4)),
        (0x08, bytes(4)),
    ]
    version = struct.pack("<HIIH", 0x09, 4, 1, 0)  # its length leaves the last two bytes out
    rest: list[tuple[int, bytes]] = [
        (0x0C, b""),
        (0x3C, b""),
        (0x0F, struct.pack("<H", 1)),  # one module
        (0x13, b"\xff\xff"),
        (0x19, name),
        (0x47, wide),
        (0x1A, name),
        (0x32, wide),
        (0x1C, b""),
        (0x48, b""),
        (0x31, bytes(4)),  # the source begins at once, with no compiled code before it
        (0x1E, bytes(4)),
        (0x2C, b"\xff\xff"),
        (0x21, b""),  # a procedural module
        (0x2B, b""),
        (0x10, b""),
    ]
    return _records(records) + version + _records(rest)


def _records(records: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack("<HI", number, len(value)) + value for number, value in records)


def _compressed(data: bytes) -> bytes:
    """VBA's compressed container, of literal bytes only. [MS-OVBA] 2.4.1"""
    container = b"\x01"
    for start in range(0, len(data), 2048):
        piece = data[start : start + 2048]
        tokens = b"".join(b"\0" + piece[at : at + 8] for at in range(0, len(piece), 8))
        container += struct.pack("<H", 0xB000 | (len(tokens) - 1)) + tokens
    return container


def _package(
    main: str, main_type: str, parts: dict[str, str | bytes], types: dict[str, str] | None = None
) -> bytes:
    """An Office Open XML file with these parts and the two every one has."""
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{kind}"/>'
        for name, kind in {f"/{main}": main_type, **(types or {})}.items()
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": _relations((f"{_OFFICE}/officeDocument", main)),
        **parts,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content if isinstance(content, bytes) else _XML + content)
    return packed.getvalue()


def _relations(*targets: tuple[str, str]) -> str:
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{entries}</Relationships>'
