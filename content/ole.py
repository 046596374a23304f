"""OLE compound files: finds out what they hold, and hands each document or object in them to its module."""

from __future__ import annotations

import struct

import olefile

from mailweir.content import doc, msg, office_unlock, ole_package, ppt, xls
from mailweir.content.item import Buffer, Item, file_of
from mailweir.content.trouble import Corrupt
from mailweir.content.walk import Walk

_DOCUMENTS = {
    "worddocument": doc.inspect,
    "workbook": xls.inspect,
    "book": xls.inspect,
    "powerpoint document": ppt.inspect,
}
_PROJECTS = ("_vba_project", "_vba_project_cur")  # of Excel 5 and 95, and of later ones
_OBJECTS = ("package", "contents", "embeddedodf", "\x01ole10native")

_FREE = 0xFFFFFFFF
_LISTED = 109  # allocation tables that the header lists itself; more only beyond 6.8 MiB


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
        _encrypted(walk, item, names)
        return
    if any(name.endswith(("drmcontent", "drmviewercontent")) for name in names):
        walk.found("encrypted-office", item, "rights management")
        return
    walk.budget.announce(len(paths), 0)
    if any(name.endswith("__properties_version1.0") for name in names):
        msg.inspect(walk, item, ole, paths)
    for path in paths:
        _stream(walk, item, ole, path)
    if _is_cut_off(item.data):
        raise Corrupt("cut off")


def _encrypted(walk: Walk, item: Item, names: set[str]) -> None:
    if any("drm" in name for name in names if "dataspaces" in name):
        walk.found("encrypted-office", item, "rights management")
    elif not office_unlock.unlock(walk, item):
        walk.found("encrypted-office", item, "password")


def _stream(walk: Walk, item: Item, ole: olefile.OleFileIO, path: list[str]) -> None:
    last = path[-1].lower()
    parent = path[-2].lower() if len(path) > 1 else ""
    if (last in ("dir", "_vba_project") and parent == "vba") or parent in _PROJECTS:
        walk.found("macro", item, "VBA")
    elif last in _DOCUMENTS:
        _DOCUMENTS[last](walk, item, ole, path)
    elif last in _OBJECTS:
        content = ole.openstream(path).read()
        name, content = ole_package.native(content) if last == "\x01ole10native" else ("", content)
        walk.budget.take(len(content))
        walk.member(item, name or "/".join(path).replace("\x01", ""), content)
    elif last == "encryptedpackage":
        walk.found("encrypted-office", item, "an embedded document has a password")


def _is_cut_off(data: Buffer) -> bool:
    """Whether sectors in use lie beyond the end of the file; a last one may be short.

    Read from the header's own list of allocation tables: olefile forgets what is beyond the end.
    """
    size = 1 << struct.unpack_from("<H", data, 0x1E)[0]
    count = min(struct.unpack_from("<L", data, 0x2C)[0], _LISTED)
    last = 0
    for index, sector in enumerate(struct.unpack_from(f"<{count}L", data, 0x4C)):
        table = data[(sector + 1) * size : (sector + 2) * size]
        if len(table) < size:
            return True
        states = struct.unpack(f"<{size // 4}L", table)
        used = next((at for at in reversed(range(len(states))) if states[at] != _FREE), -1)
        last = index * len(states) + used if used >= 0 else last
    return bool((last + 1) * size >= len(data))
