"""The part of msoffcrypto-tool that the content room uses."""

from typing import Any, BinaryIO

def OfficeFile(file: BinaryIO) -> Any: ...
