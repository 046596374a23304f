"""ZIP archives and everything that is one: names what is encrypted, opens the rest."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from mailweir.content import odf, ooxml, zip_members, zip_unlock, zip_volumes
from mailweir.content.item import Buffer, Item
from mailweir.content.sniff import is_volume
from mailweir.content.trouble import Corrupt, LimitExceeded, Unsupported
from mailweir.content.walk import Walk
from mailweir.content.zip_directory import SPANNED, Directory, Entry, local_entries, read


class Archive:
    """An opened ZIP: its entries by name, and their contents counted against the budget."""

    def __init__(self, walk: Walk, item: Item, directory: Directory) -> None:
        self.walk, self.item = walk, item
        self.entries = directory.entries
        self.by_name = {entry.name: entry for entry in self.entries}
        self._kept: dict[str, Buffer] = {}

    def content(self, entry: Entry) -> Buffer:
        """The entry's unpacked bytes; unpacked once when asked by name."""
        return zip_members.unpack(self.item.data, entry, self.walk.budget.taker(entry.packed))

    def text(self, name: str) -> bytes:
        """The named entry's bytes, empty when there is none or it is encrypted."""
        entry = self.by_name.get(name)
        if not entry or entry.encryption:
            return b""
        if name not in self._kept:
            self._kept[name] = _utf8(self.content(entry)[:])
        return self._kept[name][:]


def _utf8(text: bytes) -> bytes:
    """XML may be in UTF-16, which the searches for names would not see."""
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return text.decode("utf-16", "replace").encode("utf-8", "replace")
    return text


def look(walk: Walk, item: Item) -> None:
    """Open the archive. Raises Corrupt for a damaged one, after what could be seen was reported."""
    if item.cuts:
        item = zip_volumes.merged(item)
    try:
        directory = read(item.data)
    except Corrupt:
        _encrypted(walk, item, local_entries(item.data))
        if item.data[:4] == SPANNED or is_volume(item.name):
            raise Unsupported("one part of a split archive") from None
        raise
    if directory.encrypted:
        walk.found("encrypted-zip", item, "the central directory is encrypted")
        return
    if directory.split:
        if not _encrypted(walk, item, directory.entries):
            raise Unsupported("one part of a split archive")
        return
    _refuse_bombs(walk, directory.entries)
    if any(entry.encryption for entry in directory.entries) and not zip_unlock.unlock(walk, item):
        _encrypted(walk, item, directory.entries)
    archive = Archive(walk, item, directory)
    done: set[str] = set()
    if "[Content_Types].xml" in archive.by_name:
        done = ooxml.inspect(walk, item, archive)
    elif odf.is_odf(archive):
        done = odf.inspect(walk, item, archive)
    _walk_members(walk, item, archive, done)


def _walk_members(walk: Walk, item: Item, archive: Archive, done: set[str]) -> None:
    damage = ""
    for entry in archive.entries:
        if entry.is_directory or entry.name in done or entry.encryption:
            continue
        try:
            content = archive.content(entry)
        except Corrupt as error:
            if entry.encryption:  # only its local header says so
                walk.found("encrypted-zip", item, f"{entry.name}: {entry.encryption}")
                continue
            damage = damage or str(error)
            continue
        except Unsupported as error:
            walk.found("unsupported", item.member(entry.name, b""), str(error))
            continue
        walk.member(item, entry.name, content)
    if damage:
        raise Corrupt(damage)


def _encrypted(walk: Walk, item: Item, entries: Iterable[Entry]) -> bool:
    """Report encrypted files, all of one archive in one finding."""
    files = [entry for entry in entries if not entry.is_directory]
    locked = [entry for entry in files if entry.encryption]
    if not locked:
        return False
    how = ", ".join(sorted({entry.encryption for entry in locked}))
    walk.found("encrypted-zip", item, f"{how}: {len(locked)} of {len(files)} files, {locked[0].name}")
    return True


def _refuse_bombs(walk: Walk, entries: list[Entry]) -> None:
    walk.budget.announce(len(entries), sum(entry.size for entry in entries))
    for entry in entries:
        walk.budget.ratio(entry.packed, entry.size)
    ordered = sorted(entries, key=lambda entry: entry.offset)
    for one, other in pairwise(ordered):
        if one.packed and one.offset + 30 + len(one.raw_name) + one.packed > other.offset:
            raise LimitExceeded("files overlap each other, as in a bomb")
