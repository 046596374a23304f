"""Seals a password so that one agent alone can read it, on its way through the database.

The agent makes a key pair when it starts and keeps the private half in memory only; whoever asks for an
Unlock, on whatever machine, seals with the public half. The scheme is ECIES: X25519, HKDF, ChaCha20-Poly1305.
"""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_POINT = 32  # bytes of a public key
_STEP = 256  # sealed texts are padded to multiples of this, so that they do not tell a password's length
_NONCE = bytes(12)  # each key seals one text


class Opener:
    """The one who can read what was sealed with `key`."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.key = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    def open(self, box: bytes, purpose: str) -> str:
        """The text. Raises ValueError when it was sealed for another key or purpose, or changed."""
        point = box[:_POINT]
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(point))
        cipher = _cipher(shared, point, base64.b64decode(self.key))
        try:
            padded = cipher.decrypt(_NONCE, box[_POINT:], purpose.encode())
        except InvalidTag:
            raise ValueError("it was not sealed for us") from None
        length = int.from_bytes(padded[:4], "big")
        return padded[4 : 4 + length].decode("utf-8", "surrogateescape")


def seal(key: str, text: str, purpose: str) -> bytes:
    """Seal a text for the owner of that key; it can be opened for the same purpose only.

    Raises ValueError for what is no key.
    """
    public = base64.b64decode(key, validate=True)
    once = X25519PrivateKey.generate()
    point = once.public_key().public_bytes_raw()
    cipher = _cipher(once.exchange(X25519PublicKey.from_public_bytes(public)), point, public)
    data = text.encode("utf-8", "surrogateescape")
    padded = len(data).to_bytes(4, "big") + data
    padded += bytes(-len(padded) % _STEP)
    return point + cipher.encrypt(_NONCE, padded, purpose.encode())


def _cipher(shared: bytes, point: bytes, public: bytes) -> ChaCha20Poly1305:
    derive = HKDF(SHA256(), 32, salt=None, info=b"mailweir unlock" + point + public)
    return ChaCha20Poly1305(derive.derive(shared))
