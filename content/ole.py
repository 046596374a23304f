"""OLE compound files: finds out what they hold, and hands each document in them to its module."""

from __future__ import annotations

import olefile

from mailweir.content.item import Item, file_of
from mailweir.content.walk import Corrupt, Walk

_DOCUMENTS = {
    "worddocument": "doc",
    "workbook": "xls",
    "book": "xls",
    "powerpoint document": "ppt",
}


def look(walk: Walk, item: Item) -> None:
    """Report encryption and macros; look into embedded objects."""
    try:
        with olefile.OleFileIO(file_of(item.data)) as ole:
            _inspect(walk, item, ole)
    except OSError as error:
        raise Corrupt(str(error)) from error


def _inspect(walk: Walk, item: Item, ole: olefile.OleFileIO) -> None:
    paths = ole.listdir(streams=True, storages=False)
    names = {"/".join(path).lower() for path in paths}
    if "encryptedpackage" in names:
        walk.found("encrypted-office", item, "password" if "encryptioninfo" in names else "rights management")
        return
    if any("drmcontent" in name for name in names):
        walk.found("encrypted-office", item, "rights management")
        return
    for path in paths:
        last = path[-1].lower()
        if last in ("_vba_project", "dir") and len(path) > 1 and path[-2].lower() == "vba":
            walk.found("macro", item, "VBA")
        elif last in _DOCUMENTS:
            _document(walk, item, ole, path)


def _document(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    from mailweir.content import doc, ppt, xls

    module = {"doc": doc, "xls": xls, "ppt": ppt}[_DOCUMENTS[path[-1].lower()]]
    module.inspect(walk, item, ole, path)
