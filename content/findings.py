"""What can be seen in a message's content, in the design's words.

A finding names one thing at one place; policies decide what it means, so nothing here knows of verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Class(StrEnum):
    """The three classes that policies treat apart."""

    ENCRYPTED = "encrypted"
    UNSCANNABLE = "unscannable"
    INFECTED = "infected"


KINDS: dict[str, Class] = {
    "encrypted-zip": Class.ENCRYPTED,
    "encrypted-7z": Class.ENCRYPTED,
    "encrypted-rar": Class.ENCRYPTED,
    "encrypted-office": Class.ENCRYPTED,
    "encrypted-odf": Class.ENCRYPTED,
    "encrypted-pdf": Class.ENCRYPTED,
    "smime-encrypted": Class.ENCRYPTED,
    "pgp-encrypted": Class.ENCRYPTED,
    "macro": Class.UNSCANNABLE,
    "tracking": Class.UNSCANNABLE,
    "corrupt": Class.UNSCANNABLE,
    "limit-exceeded": Class.UNSCANNABLE,
    "unsupported": Class.UNSCANNABLE,
    "active-pdf": Class.UNSCANNABLE,
    "virus": Class.INFECTED,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen in the content.

    part is the path of MIME part numbers and member names (`2/report.zip/inner/q3.xlsm`), name the file's
    own name, detail the signature, the limit or what else says more exactly what was seen.
    """

    kind: str
    part: str
    name: str = ""
    detail: str = ""

    @property
    def cls(self) -> Class:
        """The class that the kind belongs to."""
        return KINDS[self.kind]

    def as_dict(self) -> dict[str, str]:
        """For JSON: class, kind, part, name, detail."""
        return {
            "class": self.cls.value,
            "kind": self.kind,
            "part": self.part,
            "name": self.name,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Attachment:
    """A named or non-text MIME part, as the pages list it; sha256 in hex."""

    part: str
    name: str
    type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Scan:
    """All that was seen in one message, file or part.

    unavailable says in words why no virus scanner answered; it is empty when one did or none was asked.
    """

    findings: tuple[Finding, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    unavailable: str = ""
