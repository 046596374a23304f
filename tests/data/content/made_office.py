"""Office documents: LibreOffice's, and our own that differ from their look-alikes in one thing each."""

from __future__ import annotations

import io
import quopri
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from corpus import TEXT, Corpus, noise
from made_archives import locked_zip, plain_zip
from msoffcrypto.format.ooxml import OOXMLFile
from ooxml_parts import BY, MAIN, RUN, docx, flat, sheet, slides, vba_project, vba_storages

from trial.compound import compound_file

HERE = Path(__file__).resolve().parent
TRACKS = {"doc", "docx", "odt", "ott", "rtf", "fodt"}
VBA_TYPE = "application/vnd.ms-office.vbaProject"


def make(corpus: Corpus, work: Path) -> None:
    """All Office files."""
    written = _libreoffice(corpus)
    _encrypted(corpus, written)
    _macros(corpus, written)
    _tracking(corpus)
    _objects(corpus)
    _one_file(corpus)
    _word6(corpus)
    _rtf(corpus)


def _libreoffice(corpus: Corpus) -> dict[str, bytes]:
    written = {}
    with tarfile.open(HERE / "libreoffice.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file
            prefix, suffix = member.name.split(".")
            written[member.name] = corpus.add(f"lo-{member.name}", file.read(), *_label(prefix, suffix))
    return written


def _label(prefix: str, suffix: str) -> list[str]:
    if prefix == "password":
        return ["encrypted-office" if suffix in ("doc", "xls") else "encrypted-odf"]
    if prefix == "basic":
        return ["macro"] if suffix in ("odt", "ott", "ods", "odp", "fodt", "fods") else []
    if prefix in ("inserted", "deleted"):
        return ["tracking"] if suffix in TRACKS else []
    if prefix == "formatted":  # LibreOffice does not write these into RTF
        return ["tracking"] if suffix in TRACKS - {"rtf"} else []
    if prefix == "trackon":  # nor the switch into flat XML
        return ["tracking"] if suffix in TRACKS - {"fodt"} else []
    return []


def encrypt(data: bytes, password: str = "secret") -> bytes:
    """An OOXML file encrypted as Office 2010 and later do it (Agile)."""
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt(password, out)
    return out.getvalue()


def _encrypted(corpus: Corpus, written: dict[str, bytes]) -> None:
    plain = {suffix: written[f"plain.{suffix}"] for suffix in ("docx", "xlsx", "pptx")}
    for suffix, data in plain.items():
        corpus.add(f"agile.{suffix}", encrypt(data), "encrypted-office")
    corpus.add("agile-in-zip.zip", plain_zip("inner.docx", encrypt(plain["docx"])), "encrypted-office")
    corpus.add("agile-named.bin", encrypt(plain["docx"]), "encrypted-office")
    for suffix in ("docx", "xlsx", "pptx"):
        for version, name in (
            (0x00020003, "standard"),
            (0x00020004, "standard2"),
            (0x00030004, "extensible"),
        ):
            corpus.add(f"{name}.{suffix}", _standard(version), "encrypted-office")
        corpus.add(f"rights.{suffix}", _rights(), "encrypted-office")
    corpus.add("sheet-default-password.xlsx", encrypt(written["plain.xlsx"], "VelvetSweatshop"))
    macros = sheet(
        more={"xl/vbaProject.bin": vba_project(), "xl/media/1.bin": noise(8000)},
        more_types={"xl/vbaProject.bin": VBA_TYPE},
    )
    corpus.add("sheet-default-password-macro.xlsx", encrypt(macros, "VelvetSweatshop"), "macro")
    corpus.add(
        "rights.doc",
        compound_file({"WordDocument": bytes(600), "\tDRMContent": noise(500)}),
        "encrypted-office",
    )
    corpus.add("message.rpmsg", b"\x76\xe8\x04\x60\xc4\x11\xe3\x86" + noise(400), "encrypted-office")
    doc = bytearray(written["plain.doc"])
    at = doc.index(b"\xec\xa5")
    flags = struct.unpack_from("<H", doc, at + 10)[0]
    struct.pack_into("<H", doc, at + 10, flags | 0x8100)
    corpus.add("xor.doc", bytes(doc), "encrypted-office")
    ppt = bytearray(written["plain.ppt"])
    at = ppt.index(b"\x5f\xc0\x91\xe3")
    ppt[at : at + 4] = b"\xdf\xc4\xd1\xf3"
    corpus.add("rc4.ppt", bytes(ppt), "encrypted-office")
    for name, filepass in (
        ("xor", struct.pack("<3H", 0, 0x1234, 0x5678)),
        ("rc4", struct.pack("<3H", 1, 1, 1) + noise(48)),
        ("cryptoapi", struct.pack("<3H", 1, 2, 2) + noise(100)),
    ):
        corpus.add(f"{name}.xls", _xls(filepass=filepass), "encrypted-office")
    corpus.add("made.xls", _xls())


def _standard(version: int) -> bytes:
    info = struct.pack("<2L", version, 0x24) + noise(180)
    return compound_file({"EncryptionInfo": info, "EncryptedPackage": struct.pack("<Q", 900) + noise(1000)})


def _rights() -> bytes:
    transform = {"\x06Primary": struct.pack("<2L", 8, 1) + noise(60)}
    spaces = {
        "Version": noise(30),
        "DataSpaceMap": noise(60),
        "DataSpaceInfo": {"DRMEncryptedDataSpace": noise(30)},
        "TransformInfo": {"DRMEncryptedTransform": transform},
    }
    return compound_file({"\x06DataSpaces": spaces, "EncryptedPackage": noise(1000)})


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<2H", kind, len(body)) + body


def biff(*, filepass: bytes = b"", macro_sheet: bool = False) -> bytes:
    """The records of a workbook of one sheet ([MS-XLS])."""
    bof = struct.pack("<4H2L", 0x600, 5, 0x1FAA, 1997, 0x41, 6)
    out = _record(0x809, bof)
    if filepass:
        out += _record(0x2F, filepass)
    name = b"\x05\0Sheet"
    out += _record(0x85, struct.pack("<L2B", 200, 0, 1 if macro_sheet else 0) + name) + _record(0x0A, b"")
    kind = 0x40 if macro_sheet else 0x10
    out += _record(0x809, struct.pack("<4H2L", 0x600, kind, 0x1FAA, 1997, 0x41, 6)) + _record(0x0A, b"")
    return out.ljust(2000, b"\0")


def _xls(**how: object) -> bytes:
    storages = how.pop("storages", {})
    return compound_file({"Workbook": biff(**how), **storages})  # type: ignore[arg-type, dict-item]


def _excel5() -> dict[str, bytes]:
    return {"dir": bytes(60), "Module1": bytes(90)}


def _with_vba(suffix: str, name: str = "vbaProject.bin") -> bytes:
    folder = {"docx": "word", "xlsx": "xl", "pptx": "ppt"}[suffix]
    path = f"{folder}/{name}"
    more, types = {path: vba_project()}, {path: VBA_TYPE}
    if suffix == "docx":
        return docx(more=more, more_types=types, rels=[("vbaProject", name, False)])
    return (sheet if suffix == "xlsx" else slides)(more=more, more_types=types)


def _macros(corpus: Corpus, written: dict[str, bytes]) -> None:
    for suffix, others in (
        ("docx", ("docm", "dotm", "docx", "dat")),
        ("xlsx", ("xlsm", "xltm", "xlam", "xlsx", "xlsb")),
        ("pptx", ("pptm", "potm", "ppsm", "ppam", "pptx")),
    ):
        for other in others:
            corpus.add(f"vba.{other}", _with_vba(suffix), "macro")
        corpus.add(f"vba-renamed.{suffix}", _with_vba(suffix, "data.bin"), "macro")
    corpus.add("no-macro.docm", docx(kind="document.macroEnabled.main+xml"))
    corpus.add("no-macro.xlsm", sheet(macro=True))
    corpus.add(
        "vba.doc",
        compound_file({"WordDocument": _fib(), "1Table": bytes(10), "Macros": vba_storages()}),
        "macro",
    )
    corpus.add("vba.xls", _xls(storages={"_VBA_PROJECT_CUR": vba_storages()}), "macro")
    corpus.add("vba.txt", vba_project(), "macro")
    ppt = bytes(8) + struct.pack("<2HL", 0x10, 0x1011, 4 + len(zlib.compress(vba_project())))
    ppt += struct.pack("<L", len(vba_project())) + zlib.compress(vba_project())
    ppt = struct.pack("<2HL", 0x0F, 0x03E8, 0) + ppt[8:]
    corpus.add("vba.ppt", compound_file({"PowerPoint Document": ppt, "Current User": bytes(32)}), "macro")
    macro_sheet = b'<xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"/>'
    for suffix, kind in (
        ("xlsm", "application/vnd.ms-excel.macrosheet+xml"),
        ("xlsx", "application/vnd.ms-excel.intlmacrosheet+xml"),
        ("xlsb", "application/vnd.ms-excel.macrosheet"),
    ):
        path = "xl/macrosheets/sheet1.xml" if suffix != "xlsb" else "xl/macrosheets/sheet1.bin"
        rels = [("xlMacrosheet", path[3:], False)]
        corpus.add(
            f"xlm.{suffix}", sheet(more={path: macro_sheet}, more_types={path: kind}, rels=rels), "macro"
        )
    corpus.add("vba-excel5.xls", _xls(storages={"_VBA_PROJECT": _excel5()}), "macro")
    corpus.add("xlm.xls", _xls(macro_sheet=True), "macro")
    corpus.add("xlm-biff4.xls", _record(0x409, struct.pack("<3H", 0, 0x40, 0)) + bytes(40), "macro")
    corpus.add("plain-biff4.xls", _record(0x409, struct.pack("<3H", 0, 0x10, 0)) + bytes(40))
    corpus.add("macro.slk", b"ID;PWXL;N;E\r\nP;PGeneral\r\nO;L;E;D;V0;K47;G100 0.001\r\nE\r\n", "macro")
    corpus.add("plain.slk", b"ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K1\r\nE\r\n")
    # A macro document within others.
    corpus.add("docm-in-zip.zip", plain_zip("inner.docx", _with_vba("docx")), "macro")


def _fib(flags: int = 0x0200) -> bytes:
    return (struct.pack("<H", 0xA5EC) + bytes(8) + struct.pack("<H", flags)).ljust(1000, b"\0")


def _tracking(corpus: Corpus) -> None:
    para = "<w:p>{}</w:p>"
    bodies = {
        "ins": f"<w:ins {BY}>{RUN}</w:ins>",
        "del": f"<w:del {BY}><w:r><w:delText>x</w:delText></w:r></w:del>",
        "moveFrom": f"<w:moveFrom {BY}>{RUN}</w:moveFrom>",
        "moveTo": f"<w:moveTo {BY}>{RUN}</w:moveTo>",
        "rPrChange": f"<w:r><w:rPr><w:b/><w:rPrChange {BY}><w:rPr/></w:rPrChange></w:rPr><w:t>x</w:t></w:r>",
        "pPrChange": f"<w:pPr><w:pPrChange {BY}><w:pPr/></w:pPrChange></w:pPr>",
        "paragraph-mark": f"<w:pPr><w:rPr><w:ins {BY}/></w:rPr></w:pPr>",
        "numberingChange": f'<w:pPr><w:numPr><w:numberingChange {BY} w:original="1"/></w:numPr></w:pPr>',
    }
    for name, body in bodies.items():
        corpus.add(f"tracked-{name}.docx", docx(para.format(body)), "tracking")
    row = (
        f"<w:tbl><w:tr><w:trPr><w:ins {BY}/></w:trPr><w:tc><w:tcPr>{{}}</w:tcPr><w:p/></w:tc></w:tr></w:tbl>"
    )
    for name in ("cellIns", "cellDel", "cellMerge"):
        corpus.add(
            f"tracked-{name}.docx",
            docx(row.format(f"<w:{name} {BY}/>").replace(f"<w:ins {BY}/>", "")),
            "tracking",
        )
    for name in ("tblPrChange", "trPrChange", "tcPrChange", "sectPrChange", "tblGridChange", "tblPrExChange"):
        corpus.add(f"tracked-{name}.docx", docx(f"<w:{name} {BY}/>"), "tracking")
    for part in ("header1", "footer1", "footnotes", "endnotes", "comments"):
        xml = '<w:hdr xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">{}</w:hdr>'
        path, kind = f"word/{part}.xml", f"{MAIN}wordprocessingml.{part.rstrip('1')}+xml"
        tracked = xml.format(para.format(bodies["ins"]))
        corpus.add(f"tracked-in-{part}.docx", docx(more={path: tracked}, more_types={path: kind}), "tracking")
        corpus.add(
            f"plain-{part}.docx", docx(more={path: xml.format(para.format(RUN))}, more_types={path: kind})
        )
    on = {
        "": "tracking",
        ' w:val="true"': "tracking",
        ' w:val="1"': "tracking",
        ' w:val="on"': "tracking",
        ' w:val="0"': "",
        ' w:val="false"': "",
        ' w:val="off"': "",
    }
    for index, (value, kind) in enumerate(on.items()):
        corpus.add(
            f"switch-{index}.docx", docx(settings=f"<w:trackRevisions{value}/>"), *([kind] if kind else [])
        )
    inserted = docx(para.format(bodies["ins"]))
    renamed = _rewritten(inserted, lambda text: text.replace(b"w:", b"ns0:").replace(b":w=", b":ns0="))
    corpus.add("tracked-prefix.docx", renamed, "tracking")
    wide = _rewritten(inserted, lambda text: text.replace(b"UTF-8", b"UTF-16").decode().encode("utf-16"))
    corpus.add("tracked-utf16.docx", wide, "tracking")
    for name, target, kinds in (("remote", "http://example.com/p.png", ["tracking"]), ("local", "p.png", [])):
        field = f'<w:r><w:instrText> INCLUDEPICTURE "{target}" \\d </w:instrText></w:r>'
        corpus.add(f"field-{name}.docx", docx(para.format(field)), *kinds)
    for edit, kinds in (("trackedChanges", ["tracking"]), ("readOnly", [])):
        settings = f'<w:documentProtection w:edit="{edit}" w:enforcement="1"/>'
        corpus.add(f"protected-{edit}.docx", docx(settings=settings), *kinds)
    corpus.add(
        "rsids.docx", docx(settings='<w:rsids><w:rsidRoot w:val="00A77427"/></w:rsids><w:doNotTrackMoves/>')
    )
    corpus.add(
        "instrText.docx",
        docx(para.format("<w:r><w:instrText>DATE</w:instrText></w:r><w:r><w:t>insert delete</w:t></w:r>")),
    )
    corpus.add(
        "strike.docx", docx(para.format("<w:r><w:rPr><w:strike/><w:dstrike/></w:rPr><w:t>gone</w:t></w:r>"))
    )
    corpus.add("tracked-in-zip.zip", plain_zip("a/b.docx", docx(para.format(bodies["ins"]))), "tracking")
    for index, (target, remote) in enumerate(
        (
            ("http://templates.example.com/evil.dotm", True),
            ("https://templates.example.com/x", True),
            ("\\\\\\\\server\\\\share\\\\t.dotm", True),
            ("file://server/share/t.dotm", True),
            ("ftp://example.com/t.dot", True),
            ("file:///C:\\\\Users\\\\clerk\\\\Templates\\\\letter.dotx", False),
            ("Normal.dotm", False),
        )
    ):
        rels = [("attachedTemplate", target.replace("\\\\", "\\"), True)]
        corpus.add(f"template-{index}.docx", docx(settings_rels=rels), *(["tracking"] if remote else []))
        image = [("image", target.replace("\\\\", "\\"), True)]
        corpus.add(f"image-{index}.docx", docx(rels=image), *(["tracking"] if remote else []))
    corpus.add("hyperlink.docx", docx(rels=[("hyperlink", "https://www.example.com/", True)]))
    corpus.add(
        "embedded-image.docx",
        docx(
            rels=[("image", "media/image1.png", False)],
            more={"word/media/image1.png": b"\x89PNG\r\n\x1a\n" + noise(300)},
        ),
    )
    odt = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:draw="d" xmlns:xlink="x"><draw:image xlink:href="{}"/></office:document-content>'
    )
    for name, target, kinds in (
        ("remote", "https://example.com/p.png", ["tracking"]),
        ("local", "Pictures/1.png", []),
    ):
        corpus.add(f"image-{name}.odt", _odt(odt.format(target)), *kinds)


def _rewritten(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A Word file with the text of its main part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text) if name == "word/document.xml" else text)
    return out.getvalue()


def _odt(content: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return out.getvalue()


def native(name: str, data: bytes) -> bytes:
    """An Ole10Native stream: an OLE package."""
    body = (
        b"\x02\0"
        + name.encode()
        + b"\0"
        + b"C:\\"
        + name.encode()
        + b"\0"
        + struct.pack("<2HL", 0, 3, 5)
        + b"temp\0"
    )
    body += struct.pack("<L", len(data)) + data + bytes(6)
    return struct.pack("<L", len(body)) + body


def _objects(corpus: Corpus) -> None:
    for name, inner, kinds in (
        ("text", TEXT, []),
        ("locked", locked_zip(), ["encrypted-zip"]),
        ("macro", _with_vba("docx"), ["macro"]),
    ):
        package = compound_file({"\x01Ole10Native": native(f"{name}.bin", inner), "\x01CompObj": bytes(60)})
        corpus.add(f"package-{name}.bin", package, *kinds)
        corpus.add(f"object-{name}.docx", docx(more={"word/embeddings/oleObject1.bin": package}), *kinds)
        corpus.add(f"embedding-{name}.pptx", slides(more={"ppt/embeddings/one.bin": inner}), *kinds)
        pool = {"_1234": {"\x01Ole10Native": native("one.bin", inner), "\x03ObjInfo": bytes(6)}}
        corpus.add(
            f"pool-{name}.doc",
            compound_file({"WordDocument": _fib(), "1Table": bytes(9), "ObjectPool": pool}),
            *kinds,
        )
        corpus.add(f"mail-{name}.msg", msg({f"{name}.bin": inner}), *kinds)
        corpus.add(f"winmail-{name}.dat", tnef({f"{name}.bin": inner}), *kinds)
    corpus.add("mail-nested.msg", msg({"inner.msg": msg({"x.zip": locked_zip()})}), "encrypted-zip")
    corpus.add("winmail-nested.dat", tnef({"inner.dat": tnef({"x.zip": locked_zip()})}), "encrypted-zip")
    corpus.add("winmail-cut.dat", tnef({"a.bin": noise(3000)})[:1500], "corrupt")


def msg(files: dict[str, bytes]) -> bytes:
    """An Outlook message with attachments."""
    tree: dict[str, object] = {
        "__properties_version1.0": bytes(32),
        "__substg1.0_1000001F": "A body.".encode("utf-16-le"),
    }
    for index, (name, data) in enumerate(files.items()):
        tree[f"__attach_version1.0_#{index:08X}"] = {
            "__properties_version1.0": bytes(8),
            "__substg1.0_37010102": data,
            "__substg1.0_3707001F": name.encode("utf-16-le"),
        }
    return compound_file(tree)  # type: ignore[arg-type]


def tnef(files: dict[str, bytes]) -> bytes:
    """winmail.dat with attachments."""

    def attribute(level: int, kind: int, type_: int, data: bytes) -> bytes:
        return (
            struct.pack("<B2HL", level, kind, type_, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)
        )

    out = struct.pack("<LH", 0x223E9F78, 1) + attribute(1, 0x9006, 8, struct.pack("<L", 0x10000))
    out += attribute(1, 0x800C, 2, b"A body.\0")
    for name, data in files.items():
        out += attribute(2, 0x9002, 6, bytes(14)) + attribute(2, 0x8010, 1, name.encode() + b"\0")
        out += attribute(2, 0x800F, 6, data)
    return out


def active_mime(data: bytes) -> bytes:
    """ActiveMime around an OLE file."""
    return b"ActiveMime\0\0" + struct.pack("<HLL", 0xF001, 0x4, 0) + bytes(28) + zlib.compress(data)


def _one_file(corpus: Corpus) -> None:
    import base64

    tracked = docx(f"<w:p><w:ins {BY}>{RUN}</w:ins></w:p>")
    corpus.add("flat-plain.xml", flat(docx()))
    corpus.add("flat-tracked.xml", flat(tracked), "tracking")
    corpus.add("flat-macro.xml", flat(_with_vba("docx")), "macro")
    corpus.add("flat-macro-named.doc", flat(_with_vba("docx")), "macro")
    corpus.add(
        "flat-template.xml",
        flat(docx(settings_rels=[("attachedTemplate", "http://example.com/t.dotm", True)])),
        "tracking",
    )
    corpus.add("editdata.mso", active_mime(vba_project()), "macro")
    corpus.add("oledata.mso", active_mime(compound_file({"Other": bytes(100)})))
    old = (
        '<?xml version="1.0"?>\n<?mso-application progid="Word.Document"?>\n<w:wordDocument '
        'xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml" '
        'xmlns:aml="http://schemas.microsoft.com/aml/2001/core" '
        'w:macrosPresent="{}">{}<w:body>{}</w:body></w:wordDocument>'
    )
    data = base64.encodebytes(active_mime(vba_project())).decode()
    supp = f'<w:docSuppData><w:binData w:name="editdata.mso">{data}</w:binData></w:docSuppData>'
    annotation = f'<aml:annotation aml:id="0" w:type="Word.Insertion" aml:author="A">{RUN}</aml:annotation>'
    corpus.add("word2003-plain.xml", old.format("no", "", RUN).encode())
    corpus.add("word2003-macro.xml", old.format("yes", supp, RUN).encode(), "macro")
    corpus.add("word2003-tracked.xml", old.format("no", "", annotation).encode(), "tracking")
    for name, part, kinds in (
        ("macro", active_mime(vba_project()), ["macro"]),
        ("plain", b"\x89PNG\r\n\x1a\n" + noise(90), []),
    ):
        body = base64.encodebytes(part).decode()
        mht = (
            'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="----=_NextPart_01"\r\n\r\n'
            "------=_NextPart_01\r\nContent-Location: file:///C:/1/doc.htm\r\nContent-Type: text/html\r\n\r\n"
            '<html xmlns:w="urn:schemas-microsoft-com:office:word"><body>Words</body></html>\r\n\r\n'
            "------=_NextPart_01\r\nContent-Location: file:///C:/1/editdata.mso\r\n"
            f"Content-Transfer-Encoding: base64\r\n"
            f"Content-Type: application/x-mso\r\n\r\n{body}\r\n------=_NextPart_01--\r\n"
        )
        corpus.add(f"mht-{name}.doc", mht.encode(), *kinds)
    _word_html(corpus)
    corpus.add("plain.xml", b'<?xml version="1.0"?>\n<root><w:ins xmlns:w="other"/></root>\n')


def _word_html(corpus: Corpus) -> None:
    """Word's web pages, alone and as MHT; other pages and mail tell changes with the same elements."""
    space = ' xmlns:w="urn:schemas-microsoft-com:office:word"'
    by = 'datetime="2024-05-06T07:08"'
    switch = "<!--[if gte mso 9]><xml><w:WordDocument>{}</w:WordDocument></xml><![endif]-->"
    bodies = {
        "inserted": f'<p><span class=msoIns><ins cite="mailto:A%20Writer" {by}>new</ins></span></p>',
        "deleted": f'<p><span class=msoDel><del cite="mailto:A%20Writer"\r\n{by}>old</del></span></p>',
        "tracking-on": switch.format("<w:TrackRevisions/>") + "<p>Words</p>",
        "plain": switch.format("<w:TrackMoves>false</w:TrackMoves>") + "<p>Words</p>",
        "cited": f'<p><ins cite="https://example.org/why" {by}>new</ins> <del>old</del></p>',
    }
    for name, body in bodies.items():
        kinds = ["tracking"] if name in ("inserted", "deleted", "tracking-on") else []
        page = f"<html{space}><head><title>x</title></head><body>{body}</body></html>"
        corpus.add(f"word-html-{name}.htm", page.encode(), *kinds)
        corpus.add(f"word-html-{name}-utf16.htm", page.encode("utf-16"), *kinds)
        quoted = quopri.encodestring(page.encode()).replace(b"\n", b"\r\n").decode()
        mht = (
            'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="----=_NextPart_01"\r\n\r\n'
            "------=_NextPart_01\r\nContent-Location: file:///C:/1/doc.htm\r\nContent-Type: text/html\r\n"
            f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{quoted}\r\n------=_NextPart_01--\r\n"
        )
        corpus.add(f"word-mht-{name}.doc", mht.encode(), *kinds)
    page = f'<html><body><ins cite="mailto:a@example.org" {by}>not from Word</ins></body></html>'
    corpus.add("html-changes.htm", page.encode())


def _word6(corpus: Corpus) -> None:
    """Word 6 and 95: the table of commands, which lists WordBasic macros first."""
    macros = b"\xff\x01\x01\0" + struct.pack("<2B10HL", 0x55, 1, *range(10), 600)[:24] + b"\x40"
    keys = b"\xff\x03\x01\0" + bytes(14) + b"\x40"
    for name, table, kinds in (("macro", macros, ["macro"]), ("keys", keys, []), ("plain", b"", [])):
        main = bytearray(900)
        struct.pack_into("<2H", main, 0, 0xA5DC, 0x65)
        struct.pack_into("<2L", main, 0x118, len(main) if table else 0, len(table))
        corpus.add(f"word6-{name}.doc", compound_file({"WordDocument": bytes(main) + table}), *kinds)


def _rtf(corpus: Corpus) -> None:
    def rtf(body: str) -> bytes:
        return f"{{\\rtf1\\ansi\\deff0{{\\fonttbl{{\\f0 Arial;}}}}{body}\\par}}".encode()

    for name, body, kinds in (
        ("plain", "Some words.", []),
        ("revised", "{\\revised\\revauth1\\revdttm1 new}", ["tracking"]),
        ("deleted", "{\\deleted\\revauthdel1 old}", ["tracking"]),
        ("revisions", "\\revisions Some words.", ["tracking"]),
        ("moved", "{\\mvf\\mvauth1 moved}", ["tracking"]),
        ("formatted", "{\\crauth1\\crdate1 bold}", ["tracking"]),
        ("off", "{\\revised0 words}{\\deleted0 words}\\revprop3\\revbar3\\trackmoves0\\trackformatting1", []),
        ("table", "{\\*\\revtbl {Unknown;}}Some words.", []),
        ("escaped", "the word \\\\revised explained", []),
        ("template", "{\\*\\template http://example.com/t.dotm}", ["tracking"]),
        ("template-local", "{\\*\\template C:\\\\Templates\\\\letter.dot}", []),
        (
            "picture",
            '{\\field{\\*\\fldinst INCLUDEPICTURE "http://example.com/p.png" \\\\d}{\\fldrslt}}',
            ["tracking"],
        ),
        ("link", '{\\field{\\*\\fldinst HYPERLINK "http://example.com/"}{\\fldrslt here}}', []),
    ):
        corpus.add(f"rtf-{name}.rtf", rtf(body), *kinds)
        corpus.add(f"rtf-{name}-named.doc", rtf(body), *kinds)
    for name, inner, kinds in (
        ("text", TEXT, []),
        ("locked", locked_zip(), ["encrypted-zip"]),
        ("macro", _with_vba("docx"), ["macro"]),
    ):
        raw = (
            struct.pack("<2LL", 0x501, 2, 8)
            + b"Package\0"
            + struct.pack("<2L", 0, 0)
            + native("one.bin", inner)
        )
        corpus.add(f"rtf-object-{name}.rtf", rtf(f"{{\\object\\objemb{{\\*\\objdata {raw.hex()}}}}}"), *kinds)
        whole = compound_file({"\x01Ole10Native": native("one.bin", inner)})
        raw = struct.pack("<2LL", 0x501, 2, 8) + b"Word.12\0" + struct.pack("<3L", 0, 0, len(whole)) + whole
        lines = "\n".join(raw.hex()[at : at + 64] for at in range(0, len(raw) * 2, 64))
        corpus.add(f"rtf-ole-{name}.rtf", rtf(f"{{\\object\\objemb{{\\*\\objdata {lines}}}}}"), *kinds)
