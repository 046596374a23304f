"""Office documents behind a password: the one that Excel itself uses when a sheet is merely protected, and
those that were given, are tried; what they open is scanned in memory."""

from __future__ import annotations

import io
import re
from typing import Any

from mailweir.content.item import Item, file_of
from mailweir.content.walk import Walk

DEFAULT = "VelvetSweatshop"  # [MS-OFFCRYPTO] 2.3.7.6; Excel opens such workbooks without asking
_SPINS = re.compile(rb'spinCount="(\d{1,18})"')
_MAX_SPINS = 200_000


def unlock(walk: Walk, item: Item) -> bool:
    """Look at the decrypted document. False: no password fits."""
    for password in [DEFAULT, *walk.passwords]:
        content = _decrypted(item, password)
        if content is None:
            continue
        walk.unlocked("encrypted-office")
        walk.budget.take(len(content))
        inside = Item(item.part, item.name, content, item.depth + 1, item.type)
        walk.opened(inside)
        walk.look(inside)
        return True
    return False


def _decrypted(item: Item, password: str) -> bytes | None:
    import msoffcrypto

    spins = _SPINS.search(item.data)
    if spins and int(spins[1]) > _MAX_SPINS:
        return None  # made to keep us busy: Office itself writes 100000
    out = io.BytesIO()
    try:
        document: Any = msoffcrypto.OfficeFile(file_of(item.data))
        if document.format == "ooxml":
            document.load_key(password=password, verify_password=True)
        else:
            document.load_key(password=password)
        document.decrypt(out)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a wrong password and a malformed header raise alike, of many types
        return None
    content = out.getvalue()
    return content if content and content != item.data[:] else None
