"""Opening a log that rotation may have compressed: by its first bytes, not by its name.

gzip, xz and bzip2 come with Python; zstd with a library that is imported when such a file is met.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import BinaryIO, cast

MAGIC = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
HEAD = max(map(len, MAGIC))


def kind_of(head: bytes) -> str:
    """The compression that the first bytes tell of; empty for a plain file."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "")


def decompressed(file: BinaryIO) -> BinaryIO:
    """The uncompressed bytes of an open file as a seekable stream; the file itself when it is plain.

    Closing the stream leaves a compressed file open. Raises OSError.
    """
    file.seek(0)
    kind = kind_of(file.read(HEAD))
    file.seek(0)
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if kind == "xz":
        return cast(BinaryIO, lzma.LZMAFile(file))
    if kind == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(file))
    if kind == "zstd":
        from backports import zstd

        return cast(BinaryIO, zstd.ZstdFile(file))
    return file


def open_compressed(path: Path) -> BinaryIO:
    """The file's uncompressed bytes as a seekable stream. Raises OSError."""
    return decompressed(path.open("rb"))
