"""Containers that are recognised but that nothing here opens: said so, instead of passed over."""

from __future__ import annotations

from mailweir.content.item import Item
from mailweir.content.trouble import Unsupported
from mailweir.content.walk import Walk

_NAMES = (
    (b"\x60\xea", "ARJ archive"),
    (b"MSWIM", "Windows image"),
    (b"EGGA", "EGG archive"),
    (b"ALZ\x01", "ALZ archive"),
    (b"ArC\x01", "FreeArc archive"),
    (b"StuffIt", "StuffIt archive"),
    (b"vhdxfile", "virtual disk"),
    (b"conectix", "virtual disk"),
    (b"RE~^", "RAR 1.3 archive"),
    (b"\x89LZO", "lzop file"),
    (b"LRZI", "lrzip file"),
    (b"RZIP", "rzip file"),
    (b"7kSt", "ZPAQ archive"),
    (b"zPQ", "ZPAQ archive"),
    (b"ZOO 2", "ZOO archive"),
    (b"Salted__", "encrypted with openssl"),
    (b"age-encryption.org/", "encrypted with age"),
    (b"AES", "encrypted with AES Crypt"),
    (b"\xc0\xb9\x07\x2e", "encrypted with AxCrypt"),
    (b"\x03\xd9\xa2\x9a", "encrypted with KeePass"),
    (b"PWS3", "encrypted with Password Safe"),
    (b"LUKS", "encrypted disk image (LUKS)"),
    (b"encrcdsa", "encrypted disk image (macOS)"),
    (b"\xeb\x58\x90-FVE-FS-", "encrypted disk image (BitLocker)"),
    (b"KWALLET", "encrypted with KWallet"),
    (b"$ANSIBLE_VAULT;", "encrypted with Ansible Vault"),
)


def look(walk: Walk, item: Item) -> None:
    """Raise Unsupported with the container's name."""
    head = item.data[:32]
    for signature, name in _NAMES:
        if head.startswith(signature):
            raise Unsupported(name)
    if item.data[32769:32774] == b"BEA01":
        raise Unsupported("UDF disc image")
    raise Unsupported("ACE archive" if head[7:14] == b"**ACE**" else "one part of a split archive")
