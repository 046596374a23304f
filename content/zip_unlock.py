"""ZIP entries behind a password: pyzipper decrypts both ZipCrypto and WinZip's AES."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING
from zipfile import ZipInfo

from mailweir.content.item import Collector, Item, file_of
from mailweir.content.walk import Walk

if TYPE_CHECKING:
    import pyzipper

_PIECE = 1 << 18


def unlock(walk: Walk, item: Item) -> bool:
    """Try the passwords; with the right one every encrypted entry is looked at. False: it stays locked."""
    if not walk.passwords:
        return False
    import pyzipper

    try:
        archive = pyzipper.AESZipFile(file_of(item.data))
    except (pyzipper.BadZipFile, NotImplementedError, ValueError):
        return False
    with archive:
        locked = [info for info in archive.infolist() if info.flag_bits & 1 and not info.is_dir()]
        contents = next(
            (found for word in walk.passwords if (found := _contents(walk, archive, locked, word))), None
        )
    if contents is None:
        return False
    walk.unlocked("encrypted-zip")
    for name, out in contents:
        inside = item.member(name, out.buffer())
        walk.opened(inside)
        walk.look(inside)
    return True


def _contents(
    walk: Walk, archive: pyzipper.AESZipFile, locked: list[ZipInfo], password: str
) -> list[tuple[str, Collector]] | None:
    """All entries' contents, or None when the password does not open every one of them."""
    import pyzipper

    wrong = (RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
    contents = []
    for info in locked:
        out = Collector(walk.budget.taker(info.compress_size))
        try:
            with archive.open(info, pwd=password.encode()) as file:
                while piece := file.read(_PIECE):
                    out.write(piece)
        except (*wrong, pyzipper.BadZipFile):
            return None
        contents.append((info.filename, out))
    return contents
