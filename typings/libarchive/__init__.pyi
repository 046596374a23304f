"""The part of libarchive-c that the content room uses."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

class ArchiveEntry:
    isfile: bool
    filetype: int
    pathname: str | bytes | None
    size: int | None
    def get_blocks(self, block_size: int = ...) -> Iterator[bytes]: ...

class ArchiveRead:
    def __iter__(self) -> Iterator[ArchiveEntry]: ...

def stream_reader(
    stream: BinaryIO,
    format_name: str = ...,
    filter_name: str = ...,
    block_size: int = ...,
    passphrase: str | None = ...,
) -> AbstractContextManager[ArchiveRead]: ...
