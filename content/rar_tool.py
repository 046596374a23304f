"""RAR archives that libarchive cannot read (solid, old, with a password): rarfile and the system's unpacker.

rarfile runs unrar, unar or 7z, whichever is installed; within a child process their limits are the child's.
"""

from __future__ import annotations

import rarfile

from mailweir.content.item import Item, file_of
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.walk import Walk


def unlock(walk: Walk, item: Item) -> bool:
    """Try the passwords; with the right one the contents are looked at. False: it stays locked."""
    for password in walk.passwords:
        try:
            contents = _contents(walk, item, password)
        except (rarfile.Error, OSError):
            continue
        if contents:
            walk.unlocked("encrypted-rar")
            _look(walk, item, contents, opened=True)
            return True
    return False


def members(walk: Walk, item: Item) -> None:
    """Look at each file. Raises Unsupported when no unpacker is installed, and Corrupt."""
    try:
        contents = _contents(walk, item, "")
    except rarfile.RarCannotExec as error:
        raise Unsupported("this kind of RAR needs an unpacker: install unar or unrar") from error
    except rarfile.BadRarFile as error:
        raise Unsupported(f"the unpacker gave up: {error}") from error
    except (rarfile.Error, OSError) as error:
        raise Corrupt(str(error)) from error
    _look(walk, item, contents, opened=False)


def _contents(walk: Walk, item: Item, password: str) -> list[tuple[str, bytes]]:
    with rarfile.RarFile(file_of(item.data)) as archive:
        if password:
            archive.setpassword(password)
        files = [info for info in archive.infolist() if info.is_file()]
        walk.budget.announce(len(files), sum(info.file_size for info in files))
        return [(info.filename, archive.read(info)) for info in files]


def _look(walk: Walk, item: Item, contents: list[tuple[str, bytes]], *, opened: bool) -> None:
    for name, content in contents:
        walk.budget.take(len(content))
        inside = item.member(name, content)
        if opened:
            walk.opened(inside)
        walk.look(inside)
