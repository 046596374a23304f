"""How a connection was encrypted, in plain words: what the filter or the log said of it, as a sentence."""

from __future__ import annotations

from typing import NamedTuple

TRUST = {
    "Anonymous": "the other side showed no certificate",
    "Untrusted": "the other side's certificate was not checked, or is from no authority trusted here",
    "Trusted": "the other side's certificate is from a trusted authority; its name was not checked",
    "Verified": "the other side's certificate is from a trusted authority and has the right name",
}
"""Postfix's words, and what they mean."""


class Encryption(NamedTuple):
    """The description taken apart; what was not told is empty."""

    protocol: str
    cipher: str
    trust: str  # what was seen of the other side's certificate, a value of TRUST

    @property
    def sentence(self) -> str:
        """All of it, in English."""
        with_cipher = f" ({self.cipher})" if self.cipher else ""
        return f"Encrypted with {self.protocol}{with_cipher}" + (f": {self.trust}" if self.trust else "")


def explain(tls: str) -> Encryption | None:
    """The filter's `TLSv1.3 CIPHER` or the log's `Verified TLSv1.3 CIPHER BITS`; None: nothing is known."""
    words = tls.split()
    trust = TRUST[words.pop(0)] if words and words[0] in TRUST else ""
    if not words:
        return None
    protocol, *cipher = words
    bits = cipher.pop() if len(cipher) > 1 and cipher[-1].isdigit() else ""
    return Encryption(protocol, " ".join(cipher) + (f", {bits} bits" if bits else ""), trust)
