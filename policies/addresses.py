"""Compares addresses and domains the way Postfix does: case, IDNA, address extensions.

An address becomes a few look-up keys, from the narrowest to the widest, as in Postfix's own tables
(access(5)); a pattern becomes one key, so that matching is a dictionary look-up however long a list is.
"""

from __future__ import annotations

import functools
import unicodedata

import idna

from mailweir.errors import InputError

MAX_LENGTH = 320  # octets of the longest address RFC 5321 allows: 64 + 1 + 255


@functools.lru_cache(maxsize=4096)
def normal_domain(domain: str) -> str:
    """The domain as A-labels in lower case without a final dot; address literals are only lower-cased."""
    folded = unicodedata.normalize("NFC", domain).lower().rstrip(".")
    if folded.isascii():
        return folded
    try:
        return idna.encode(folded, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return folded


def split(address: str) -> tuple[str, str]:
    """Local part (unquoted, case folded) and normal domain; the domain is "" when there is none."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\", "")
    return unicodedata.normalize("NFC", local).casefold(), normal_domain(domain)


def domain_of(address: str) -> str:
    """The normal domain of an address."""
    return split(address)[1]


def without_extension(local: str, delimiters: str) -> str:
    """The local part up to the first of Postfix's recipient_delimiter characters (split_addr(3))."""
    for position, character in enumerate(local):
        if character in delimiters:
            return local[:position] or local
    return local


def same(one: str, other: str) -> bool:
    """Whether two addresses are the same mailbox, extension included."""
    return split(one) == split(other)


def keys(address: str, delimiters: str = "") -> list[str]:
    """What patterns may match the address, the narrowest first; none for the null sender."""
    if not address:
        return []
    local, domain = split(address)
    found = [f"{local}@{domain}"]
    bare = without_extension(local, delimiters)
    if bare != local:
        found.append(f"{bare}@{domain}")
    if domain:
        found += [domain, f".{domain}"]
        parent = domain
        while "." in parent:
            parent = parent.partition(".")[2]
            found.append(f".{parent}")
    return found


def pattern_key(pattern: str) -> str:
    """The look-up key of a pattern: an address, a domain, or .domain (which holds its subdomains too).

    Raises InputError for what is none of these.
    """
    text = pattern.strip()
    broken = not text or len(text.encode("utf-8", "surrogatepass")) > MAX_LENGTH
    if broken or any(character.isspace() or not character.isprintable() for character in text):
        raise InputError(
            "%(pattern)s is neither an address, a domain nor .domain", pattern=repr(pattern[:80])
        )
    local, at, domain = text.rpartition("@")
    name = normal_domain(domain.lstrip(".") if not at else domain)
    if not name or ".." in name or name.startswith(".") or (at and not local):
        raise InputError(
            "%(pattern)s is neither an address, a domain nor .domain", pattern=repr(pattern[:80])
        )
    if at:
        folded, host = split(text)
        return f"{folded}@{host}"
    return f".{name}" if domain.startswith(".") else name
