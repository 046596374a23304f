"""PDF files by pikepdf: with passwords of every revision, attachments, scripts, damage."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pikepdf
from corpus import TEXT, Corpus, noise
from made_archives import locked_zip, plain_zip
from made_office import _with_vba


def make(corpus: Corpus, work: Path) -> None:
    """All PDF files."""
    plain = corpus.add("plain.pdf", pdf())
    for revision in (2, 3, 4, 5, 6):
        how = {"R": revision, "aes": revision >= 4, "metadata": revision >= 4}
        for name, user, owner, kinds in (
            ("user", "secret", "secret", ["encrypted-pdf"]),
            ("both", "secret", "other", ["encrypted-pdf"]),
            ("owner", "", "other", []),
        ):
            data = pdf(encryption=pikepdf.Encryption(user=user, owner=owner, **how))
            corpus.add(f"pdf-r{revision}-{name}.pdf", data, *kinds)
    rc4 = pikepdf.Encryption(user="secret", owner="x", R=4, aes=False, metadata=False)
    locked = corpus.add("pdf-r4-rc4.pdf", pdf(encryption=rc4), "encrypted-pdf")
    corpus.add("pdf-locked-named.txt", locked, "encrypted-pdf")
    corpus.add("pdf-locked-late.pdf", b"\r\n" * 100 + locked, "encrypted-pdf")
    corpus.add("pdf-locked-in-zip.zip", plain_zip("a.pdf", locked), "encrypted-pdf")
    corpus.add("pdf-linearized.pdf", pdf(linearize=True))
    corpus.add("pdf-object-streams.pdf", pdf(object_stream_mode=pikepdf.ObjectStreamMode.generate))
    corpus.add("pdf-trailing.pdf", plain + b"\r\n\0\0\0")
    # macOS writes metafiles that bring the same picture as PDF, in a comment record.
    head = struct.pack("<2L8L", 1, 108, *bytes(8)) + b" EMF\0\0\1\0" + bytes(60)
    for name, inner, kinds in (("", plain, []), ("-locked", locked, ["encrypted-pdf"])):
        corpus.add(f"picture-with-pdf{name}.emf", head + inner + noise(5000), *kinds)
    corpus.add("picture-with-pdf-cut.emf", head + plain[: len(plain) * 2 // 3] + bytes(100), "corrupt")
    corpus.add("pdf-certificate.pdf", _certificate(locked), "encrypted-pdf")
    for name, inner, kinds in (
        ("text", TEXT, []),
        ("locked", locked_zip(), ["encrypted-zip"]),
        ("macro", _with_vba("docx"), ["macro"]),
    ):
        corpus.add(f"pdf-attached-{name}.pdf", pdf(attached=inner), *kinds)
        owner = pikepdf.Encryption(user="", owner="other", R=6)
        corpus.add(f"pdf-owner-attached-{name}.pdf", pdf(attached=inner, encryption=owner), *kinds)
        corpus.add(f"pdf-annotation-{name}.pdf", pdf(annotated=inner), *kinds)
    corpus.add("pdf-wrapper.pdf", pdf(attached=noise(500), payload=True), "encrypted-pdf")

    def script() -> pikepdf.Dictionary:
        return pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert('hello')"))

    def launch() -> pikepdf.Dictionary:
        return pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("notepad.exe"))

    def link() -> pikepdf.Dictionary:
        return pikepdf.Dictionary(
            S=pikepdf.Name.URI, URI=pikepdf.String("https://www.example.com/JavaScript")
        )

    corpus.add("pdf-javascript.pdf", pdf(action=script), "active-pdf")
    corpus.add("pdf-launch.pdf", pdf(action=launch), "active-pdf")
    corpus.add("pdf-uri.pdf", pdf(action=link))
    corpus.add(
        "pdf-javascript-packed.pdf",
        pdf(action=script, object_stream_mode=pikepdf.ObjectStreamMode.generate),
        "active-pdf",
    )
    large = pdf(pages=30)
    corpus.add("pdf-pages.pdf", large)
    corpus.add("pdf-cut.pdf", large[: len(large) // 2], "corrupt")
    corpus.add("pdf-shifted-xref.pdf", plain.replace(b"startxref\n", b"startxref\n1"))
    corpus.add(
        "pdf-updated.pdf",
        plain
        + b"\n% a remark after the end\nstartxref\n"
        + re.findall(rb"startxref\n(\d+)", plain)[-1]
        + b"\n%%EOF\n",
    )


def pdf(
    *,
    attached: bytes = b"",
    annotated: bytes = b"",
    action: Callable[[], pikepdf.Dictionary] | None = None,
    payload: bool = False,
    pages: int = 1,
    **save: object,
) -> bytes:
    """A PDF of blank pages with one thing added."""
    out = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page()
        if attached:
            spec = pikepdf.AttachedFileSpec(document, attached, filename="attached.bin")
            document.attachments["attached.bin"] = spec
            if payload:
                spec.obj.AFRelationship = pikepdf.Name.EncryptedPayload
                spec.obj.EP = pikepdf.Dictionary(Type=pikepdf.Name.EncryptedPayload, Subtype=pikepdf.Name.X)
        if annotated:
            spec = pikepdf.AttachedFileSpec(document, annotated, filename="pinned.bin")
            note = pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FileAttachment, FS=spec.obj, Rect=[0, 0, 20, 20]
            )
            document.pages[0].Annots = document.make_indirect(pikepdf.Array([document.make_indirect(note)]))
        if action is not None:
            document.Root.OpenAction = document.make_indirect(action())
        document.save(out, **save)  # type: ignore[arg-type]
    return out.getvalue()


def _certificate(data: bytes) -> bytes:
    """A PDF for holders of a certificate: the security handler in the encryption dictionary is another."""
    return data.replace(b"/Filter /Standard", b"/Filter/Adobe.PubSec"[:17].ljust(17))
