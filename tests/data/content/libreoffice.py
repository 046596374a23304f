"""Makes libreoffice.tar.xz: what LibreOffice writes, with passwords, macros, tracked changes and without.

Run by hand where libreoffice-writer-nogui, -calc-nogui, -impress-nogui and python3-uno are installed:
`/usr/bin/python3 libreoffice.py`. The result is committed, so that making the corpus does not need them.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import uno
from com.sun.star.beans import PropertyValue

HERE = Path(__file__).resolve().parent
PORT = 20022
WRITER = {
    "doc": "MS Word 97",
    "docx": "MS Word 2007 XML",
    "odt": "writer8",
    "ott": "writer8_template",
    "rtf": "Rich Text Format",
    "fodt": "OpenDocument Text Flat XML",
    "html": "HTML (StarWriter)",
}
CALC = {
    "xls": "MS Excel 97",
    "xlsx": "Calc MS Excel 2007 XML",
    "ods": "calc8",
    "fods": "OpenDocument Spreadsheet Flat XML",
}
IMPRESS = {"ppt": "MS PowerPoint 97", "pptx": "Impress MS PowerPoint 2007 XML", "odp": "impress8"}
ENCRYPTS = ("doc", "odt", "ott", "xls", "ods", "odp")


def main() -> None:
    """Start LibreOffice, write everything, pack it."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        office = subprocess.Popen(
            [
                "soffice",
                "--headless",
                "--norestore",
                f"-env:UserInstallation=file://{out}/profile",
                f"--accept=socket,host=127.0.0.1,port={PORT};urp;",
            ]
        )
        desktop = _desktop()
        (out / "files").mkdir()
        write(desktop, out / "files")
        with suppress(Exception):
            desktop.terminate()
        office.wait(60)
        with tarfile.open(HERE / "libreoffice.tar.xz", "w:xz") as archive:
            for path in sorted((out / "files").iterdir()):
                archive.add(path, path.name)


def _desktop() -> Any:
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    for _ in range(240):
        with suppress(Exception):
            context = resolver.resolve(
                f"uno:socket,host=127.0.0.1,port={PORT};urp;StarOffice.ComponentContext"
            )
            return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
        time.sleep(0.5)
    raise RuntimeError("LibreOffice does not answer")


def _properties(**values: object) -> tuple[Any, ...]:
    made = []
    for name, value in values.items():
        one = PropertyValue()
        one.Name, one.Value = name, value
        made.append(one)
    return tuple(made)


def _store(document: Any, out: Path, prefix: str, filters: dict[str, str], **more: object) -> None:
    for suffix, name in filters.items():
        document.storeToURL(f"file://{out}/{prefix}.{suffix}", _properties(FilterName=name, **more))


def _new(desktop: Any, kind: str) -> Any:
    document = desktop.loadComponentFromURL(f"private:factory/{kind}", "_blank", 0, _properties(Hidden=True))
    if kind == "swriter":
        text = "The quarterly report, first draft.\nSecond paragraph with some words."
        document.Text.insertString(document.Text.createTextCursor(), text, False)
    elif kind == "scalc":
        sheet = document.Sheets.getByIndex(0)
        for row in range(20):
            sheet.getCellByPosition(0, row).Value = row
            sheet.getCellByPosition(1, row).Formula = f"=A{row + 1}*2"
            sheet.getCellByPosition(2, row).String = f"row {row}"
    return document


def write(desktop: Any, out: Path) -> None:
    """Every file."""
    for kind, filters in (("swriter", WRITER), ("scalc", CALC), ("simpress", IMPRESS)):
        document = _new(desktop, kind)
        _store(document, out, "plain", filters)
        encrypts = {suffix: name for suffix, name in filters.items() if suffix in ENCRYPTS}
        _store(document, out, "password", encrypts, Password="secret")
        libraries = document.BasicLibraries
        if not libraries.hasByName("Standard"):
            libraries.createLibrary("Standard")
        libraries.getByName("Standard").insertByName("Module1", 'Sub Main\nMsgBox "hello"\nEnd Sub')
        _store(document, out, "basic", {suffix: name for suffix, name in filters.items() if suffix != "ppt"})
        document.close(True)
    for prefix in ("trackon", "inserted", "deleted", "formatted"):
        document = _new(desktop, "swriter")
        document.RecordChanges = True
        cursor = document.Text.createTextCursor()
        if prefix == "inserted":
            cursor.gotoEnd(False)
            document.Text.insertString(cursor, " Inserted later.", False)
        elif prefix == "deleted":
            cursor.goRight(5, True)
            cursor.setString("")
        elif prefix == "formatted":
            cursor.goRight(8, True)
            cursor.CharWeight = 150.0
        document.RecordChanges = prefix == "trackon"
        _store(document, out, prefix, WRITER)
        document.close(True)
    document = _new(desktop, "swriter")
    cursor = document.Text.createTextCursor()
    cursor.gotoEnd(False)
    document.Text.insertString(cursor, " link", False)
    cursor.goLeft(4, True)
    cursor.HyperLinkURL = "http://www.example.com/"
    _store(document, out, "hyperlink", WRITER)
    document.close(True)


if __name__ == "__main__":
    main()
