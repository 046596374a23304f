"""Office Open XML files put together from parts: a sample differs from its look-alike in one thing."""

from __future__ import annotations

import base64
import io
import zipfile

from trial.compound import compound_file

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "application/vnd.openxmlformats-officedocument."
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
BY = 'w:id="1" w:author="A. Clerk" w:date="2026-01-01T00:00:00Z"'
RUN = "<w:r><w:t>some words</w:t></w:r>"


def vba_project() -> bytes:
    """A compound file that holds a VBA project as Office stores it."""
    return compound_file({"VBA": _modules(), "PROJECT": b'Name="VBAProject"\r\nModule=Module1\r\n'})


def _modules() -> dict[str, bytes]:
    return {"dir": bytes(40), "_VBA_PROJECT": b"\xcc\x61\xff\xff\0\0\0", "Module1": b"\x01\0\0\0" + bytes(80)}


def vba_storages() -> dict[str, object]:
    """The same as storages within a document."""
    return {"VBA": _modules(), "PROJECT": b'Name="VBAProject"\r\n'}


def package(parts: dict[str, bytes | str], types: dict[str, str], *, main: str) -> bytes:
    """A ZIP with these parts, their content types and the main part's relationship."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", content_types(types))
        archive.writestr("_rels/.rels", relationships([("officeDocument", "/" + main, False)]))
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def content_types(types: dict[str, str]) -> str:
    """[Content_Types].xml."""
    rows = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in types.items())
    return (
        f'{XML}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{rows}</Types>'
    )


def relationships(rows: list[tuple[str, str, bool]]) -> str:
    """A .rels part: kind, target, external."""
    tags = "".join(
        f'<Relationship Id="rId{index}" Type="{OFFICE}/{kind}" Target="{target}"'
        + (' TargetMode="External"/>' if external else "/>")
        for index, (kind, target, external) in enumerate(rows, 1)
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{tags}</Relationships>'


def document(body: str) -> str:
    """word/document.xml."""
    return f'{XML}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'


def docx(
    body: str = f"<w:p>{RUN}</w:p>",
    *,
    settings: str = "",
    rels: list[tuple[str, str, bool]] | None = None,
    settings_rels: list[tuple[str, str, bool]] | None = None,
    more: dict[str, bytes | str] | None = None,
    more_types: dict[str, str] | None = None,
    kind: str = "wordprocessingml.document.main+xml",
) -> bytes:
    """A Word document."""
    main = "application/vnd.ms-word." if "macroEnabled" in kind else MAIN
    types = {"word/document.xml": main + kind, "word/settings.xml": MAIN + "wordprocessingml.settings+xml"}
    parts: dict[str, bytes | str] = {
        "word/document.xml": document(body),
        "word/settings.xml": f'{XML}<w:settings xmlns:w="{WORD}">{settings}</w:settings>',
        "word/_rels/document.xml.rels": relationships([("settings", "settings.xml", False), *(rels or [])]),
    }
    if settings_rels:
        parts["word/_rels/settings.xml.rels"] = relationships(settings_rels)
    return package(parts | (more or {}), types | (more_types or {}), main="word/document.xml")


def sheet(
    *,
    more: dict[str, bytes | str] | None = None,
    more_types: dict[str, str] | None = None,
    rels: list[tuple[str, str, bool]] | None = None,
    macro: bool = False,
) -> bytes:
    """An Excel workbook."""
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = (
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
        if macro
        else f"{MAIN}spreadsheetml.sheet.main+xml"
    )
    types = {"xl/workbook.xml": kind, "xl/worksheets/sheet1.xml": f"{MAIN}spreadsheetml.worksheet+xml"}
    parts: dict[str, bytes | str] = {
        "xl/workbook.xml": f'{XML}<workbook xmlns="{name}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'{XML}<worksheet xmlns="{name}">'
        '<sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>',
        "xl/_rels/workbook.xml.rels": relationships(
            [("worksheet", "worksheets/sheet1.xml", False), *(rels or [])]
        ),
    }
    return package(parts | (more or {}), types | (more_types or {}), main="xl/workbook.xml")


def slides(*, more: dict[str, bytes | str] | None = None, more_types: dict[str, str] | None = None) -> bytes:
    """A PowerPoint presentation without slides."""
    name = "http://schemas.openxmlformats.org/presentationml/2006/main"
    types = {"ppt/presentation.xml": f"{MAIN}presentationml.presentation.main+xml"}
    parts: dict[str, bytes | str] = {"ppt/presentation.xml": f'{XML}<p:presentation xmlns:p="{name}"/>'}
    return package(parts | (more or {}), types | (more_types or {}), main="ppt/presentation.xml")


def flat(data: bytes) -> bytes:
    """A package as Flat OPC: one XML file with a pkg:part for each part."""
    out = f'{XML}<?mso-application progid="Word.Document"?>\n<pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">'
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        types = archive.read("[Content_Types].xml").decode()
        for name in archive.namelist():
            if name == "[Content_Types].xml":
                continue
            marker = f'PartName="/{name}" ContentType="'
            kind = types.partition(marker)[2].partition('"')[0] or "application/xml"
            content = archive.read(name)
            if content.startswith(b"<?xml"):
                inner = content.decode().partition("?>")[2]
                body = f"<pkg:xmlData>{inner}</pkg:xmlData>"
            else:
                body = f"<pkg:binaryData>{base64.encodebytes(content).decode()}</pkg:binaryData>"
            out += f'<pkg:part pkg:name="/{name}" pkg:contentType="{kind}">{body}</pkg:part>'
    return (out + "</pkg:package>").encode()
