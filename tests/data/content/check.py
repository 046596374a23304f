"""Asks other programs whether the labels are right: 7z, qpdf, gpg, openssl, msoffcrypto, olevba, lxml.

`python tests/data/content/check.py DIRECTORY` prints each disagreement and exits non-zero when there is one.
Each program judges the files of its own format that stand in the corpus as they are, not those within others.
"""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msoffcrypto
from lxml import etree
from oletools.olevba import VBA_Parser

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
TRACKED = {
    f"{WORD}{name}"
    for name in ("ins", "del", "moveFrom", "moveTo", "cellIns", "cellDel", "rPrChange", "pPrChange")
}
# Files that these programs cannot judge: made up by hand, or damaged on purpose.
LEFT_OUT = (
    "damage",
    "bomb",
    "standard",
    "extensible",
    "rights",
    "zip-masked",
    "xor",
    "rc4",
    "cryptoapi",
    "split",
)


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    """Run a tool that may fail."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )


def by_7z(path: Path) -> bool | None:
    """Whether 7z sees an encrypted file in the archive, or cannot even list it without a password."""
    if path.suffix not in (".zip", ".7z", ".jar"):
        return None
    listed = run("7z", "l", "-slt", "-p", path)
    if b"Cannot open encrypted archive" in listed.stdout + listed.stderr:
        return True
    return b"Encrypted = +" in listed.stdout if listed.returncode == 0 else None


def by_qpdf(path: Path) -> bool | None:
    """Whether qpdf says that a password is required."""
    if path.suffix != ".pdf" or not path.read_bytes().startswith(b"%PDF"):
        return None
    return run("qpdf", "--requires-password", path).returncode == 0


def by_gpg(path: Path) -> bool | None:
    """Whether gpg finds encrypted packets."""
    if path.suffix not in (".gpg", ".asc", ".pgp") or b"KEY BLOCK" in path.read_bytes()[:100]:
        return None
    listed = run("gpg", "--batch", "--list-packets", "--list-only", path)
    return re.search(rb":(?:pubkey|symkey) enc packet", listed.stdout) is not None


def by_openssl(path: Path) -> bool | None:
    """Whether openssl names an enveloped type in the outermost structure."""
    if path.suffix != ".p7m" or not path.read_bytes().startswith(b"0"):
        return None
    shown = run("openssl", "asn1parse", "-inform", "DER", "-in", path).stdout[:400]
    return b"nvelopedData" in shown


def by_msoffcrypto(path: Path) -> bool | None:
    """Whether msoffcrypto says that the document is encrypted, and with another password than Excel's own."""
    if path.suffix not in (".docx", ".xlsx", ".pptx", ".doc", ".xls", ".ppt"):
        return None
    try:
        document = msoffcrypto.OfficeFile(io.BytesIO(path.read_bytes()))
        if not document.is_encrypted():
            return False
    except Exception:  # noqa: BLE001 - of many types; this judge then has no opinion
        return None
    try:
        document.load_key(password="VelvetSweatshop", verify_password=True)
    except Exception:  # noqa: BLE001 - a wrong password raises what it likes
        return True
    return False


def by_olevba(path: Path) -> bool | None:
    """Whether olevba finds a VBA project."""
    if path.suffix not in (".docm", ".xlsm", ".pptm", ".docx", ".xlsx", ".pptx") or path.name.startswith(
        ("xlm", "sheet")
    ):
        return None
    try:
        return bool(VBA_Parser(str(path)).detect_vba_macros())
    except Exception:  # noqa: BLE001 - of many types; this judge then has no opinion
        return None


def by_lxml(path: Path) -> bool | None:
    """Whether the main story of a Word document, read by an XML parser, has tracked revisions."""
    if path.suffix != ".docx" or not re.match(
        r"tracked-(ins|del|move|rPr|pPr|cellIns|cellDel)|lo-|hyperlink", path.name
    ):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            document = etree.fromstring(archive.read("word/document.xml"))
            settings = etree.fromstring(archive.read("word/settings.xml"))
    except (zipfile.BadZipFile, KeyError):
        return None
    return (
        any(node.tag in TRACKED for node in document.iter())
        or settings.find(f"{WORD}trackRevisions") is not None
    )


JUDGES: tuple[tuple[Callable[[Path], bool | None], tuple[str, ...]], ...] = (
    (by_7z, ("encrypted-zip", "encrypted-7z")),
    (by_qpdf, ("encrypted-pdf",)),
    (by_gpg, ("pgp-encrypted",)),
    (by_openssl, ("smime-encrypted",)),
    (by_msoffcrypto, ("encrypted-office",)),
    (by_olevba, ("macro",)),
    (by_lxml, ("tracking",)),
)


def main() -> int:
    """Compare every judge's word with the labels."""
    logging.disable()
    directory = Path(sys.argv[1])
    labels = json.loads((directory / "labels.json").read_text())
    agreed, wrong = Counter[str](), 0
    for name, kinds in labels.items():
        if name.startswith(LEFT_OUT):
            continue
        for judge, about in JUDGES:
            word = judge(directory / name)
            if word is None:
                continue
            if word == bool(set(kinds) & set(about)):
                agreed[judge.__name__] += 1
            elif not _within(name):
                wrong += 1
                print(f"{name}: labelled {kinds or 'clean'}, but {judge.__name__} says {word}")
    print(", ".join(f"{judge} agreed on {count}" for judge, count in agreed.items()))
    return 1 if wrong else 0


def _within(name: str) -> bool:
    """Whether the label is about something inside, which the judges do not open."""
    return any(
        mark in name
        for mark in (
            "-in-",
            "nested",
            "attached",
            "annotation",
            "object",
            "embedding",
            "wrapper",
            "certificate",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
