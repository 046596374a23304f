"""RAR archives that libarchive cannot read (solid, old, with a password): rarfile and the system's unpacker.

rarfile runs unrar, unar or 7z, whichever is installed; within a child process their limits are the child's.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import rarfile

from mailweir.content.item import Item, file_of
from mailweir.content.rar_headers import RAR4
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
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_volumes(item)) if item.cuts else file_of(item.data)
        archive = stack.enter_context(rarfile.RarFile(source))
        if password:
            archive.setpassword(password)
        files = [info for info in archive.infolist() if info.is_file()]
        walk.budget.announce(len(files), sum(info.file_size for info in files))
        return [(info.filename, archive.read(info)) for info in files]


def _old_name(number: int) -> str:
    """The volumes' names before RAR 3: a.rar, a.r00 … a.r99, a.s00 …"""
    return "a.rar" if number == 1 else f"a.{chr(ord('r') + (number - 2) // 100)}{(number - 2) % 100:02}"


@contextlib.contextmanager
def _volumes(item: Item) -> Iterator[str]:
    """The volumes as files beside each other, as the unpackers want them; the first one's path."""
    with tempfile.TemporaryDirectory(prefix="mailweir-rar-") as directory:
        new_names = item.data[:7] != RAR4 or item.data[10] & 0x10
        name = "a.part{}.rar".format if new_names else _old_name
        paths = [Path(directory, name(number)) for number in range(1, len(item.cuts) + 1)]
        for path, (start, end) in zip(paths, pairwise([*item.cuts, len(item.data)]), strict=True):
            path.write_bytes(item.data[start:end])
        yield str(paths[0])


def _look(walk: Walk, item: Item, contents: list[tuple[str, bytes]], *, opened: bool) -> None:
    for name, content in contents:
        walk.budget.take(len(content))
        inside = item.member(name, content)
        if opened:
            walk.opened(inside)
        walk.look(inside)
