"""Archives and compressed files that libarchive reads: tar, cpio, cab, ISO 9660, LHA, ar, gzip and kin."""

from __future__ import annotations

from collections.abc import Iterator

import libarchive
from libarchive.exception import ArchiveError

from mailweir.content.item import Buffer, Collector, Item, file_of
from mailweir.content.sniff import sniff
from mailweir.content.trouble import Corrupt, Unsupported
from mailweir.content.walk import Walk

# our format -> libarchive's format and filter
_READERS = {
    "tar": ("tar", "none"),
    "cpio": ("cpio", "none"),
    "cab": ("cab", "none"),
    "iso": ("iso9660", "none"),
    "lha": ("lha", "none"),
    "ar": ("ar", "none"),
    "xar": ("xar", "none"),
    "rpm": ("cpio", "all"),
    "bzip2": ("raw", "bzip2"),
    "xz": ("raw", "xz"),
    "lzma": ("raw", "lzma"),
    "zstd": ("raw", "zstd"),
    "lz4": ("raw", "lz4"),
    "lzip": ("raw", "lzip"),
    "compress": ("raw", "compress"),
}
_UNSEEN = ("zstd", "lz4", "lzip", "compress", "lzma")  # clamd does not unpack these
_SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".lz", ".Z")
_UNSUPPORTED = ("unsupported", "not supported", "unavailable", "cannot be decoded", "unknown compression")


def look(walk: Walk, item: Item) -> None:
    """Open the archive and look at each member."""
    format_ = sniff(item)
    reader, filter_ = _READERS[format_]
    members(walk, item, reader, filter_, unseen=format_ in _UNSEEN)


def members(
    walk: Walk,
    item: Item,
    format_: str,
    filter_: str = "none",
    *,
    unseen: bool = False,
    enough: int | None = None,
) -> None:
    """Look at each member of the archive. Raises Corrupt, Unsupported and LimitExceeded.

    enough is after how many members it may end in any way.
    """
    take = walk.budget.taker(len(item.data))
    seen = 0
    try:
        with libarchive.stream_reader(file_of(item.data), format_, filter_) as archive:
            for entry in archive:
                walk.budget.tick()
                if entry.filetype and not entry.isfile and format_ != "raw":
                    continue
                name = inner_name(item) if format_ == "raw" else _path(entry.pathname)
                content = _content(entry.get_blocks(), take)
                seen += 1
                inside = item.member(name, content)
                if unseen:
                    walk.opened(inside)
                walk.look(inside)
    except ArchiveError as error:
        text = (error.msg or "").strip() if isinstance(error.msg, str) else str(error)
        if format_ == "raw" and seen == 0 and _is_trailing(item):
            return
        if enough is not None and seen >= enough:
            return
        if any(word in text.lower() for word in _UNSUPPORTED):
            raise Unsupported(text) from error
        raise Corrupt(text) from error


def _path(name: str | bytes | None) -> str:
    """libarchive gives bytes where a name is in no known character set."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name or ""


def _content(blocks: Iterator[bytes], take: object) -> Buffer:
    out = Collector(take)  # type: ignore[arg-type]
    for block in blocks:
        out.write(block)
    return out.buffer()


def inner_name(item: Item) -> str:
    """What the file within a compressed one is called: the name without its suffix."""
    for suffix in _SUFFIXES:
        if item.name.lower().endswith(suffix.lower()):
            return item.name[: -len(suffix)] or "content"
    if item.name.lower().endswith((".tgz", ".tbz2", ".txz", ".tzst")):
        return item.name.rpartition(".")[0] + ".tar"
    return "content"


def _is_trailing(item: Item) -> bool:
    """An empty compressed file is no archive to libarchive, but whole."""
    return len(item.data) < 64
