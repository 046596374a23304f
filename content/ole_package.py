"""Files that OLE 1 packages carry ([MS-OLEDS]): the Ole10Native stream, and object data within RTF."""

from __future__ import annotations

import struct

_LIMIT = 4096


def native(data: bytes) -> tuple[str, bytes]:
    """File name and content of an Ole10Native stream; the rest of the stream when it is not a package."""
    if len(data) < 4:
        return "", b""
    size = struct.unpack_from("<L", data)[0]
    body = data[4 : 4 + size]
    return _package(body) or ("", body)


def _package(body: bytes) -> tuple[str, bytes] | None:
    if body[:2] != b"\x02\0":
        return None
    label_end = body.find(b"\0", 2, _LIMIT)
    path_end = body.find(b"\0", label_end + 1, _LIMIT * 2)
    if label_end < 0 or path_end < 0 or path_end + 9 > len(body):
        return None
    at = path_end + 1
    _, length = struct.unpack_from("<2L", body, at)  # two flags, then the length of the command
    at += 8 + length
    if at + 4 > len(body):
        return None
    size = struct.unpack_from("<L", body, at)[0]
    if size > len(body) - at - 4:
        return None
    name = body[2:label_end].decode("utf-8", "replace").replace("\\", "/")
    return name, body[at + 4 : at + 4 + size]


def object_data(data: bytes) -> tuple[str, bytes]:
    """Name and content of an OLE 1 embedded object, as in RTF's objdata."""
    at = 8
    for _ in range(3):  # class, topic and item name
        if at + 4 > len(data):
            return "", b""
        at += 4 + struct.unpack_from("<L", data, at)[0]
    if at + 4 > len(data):
        return "", b""
    size = struct.unpack_from("<L", data, at)[0]
    body = data[at + 4 : at + 4 + size]
    return _package(body) or ("", body)
