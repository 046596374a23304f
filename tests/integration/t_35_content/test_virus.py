"""A real clamd sees what only the walk can open, and every finding of it names the right part."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import threading
import zipfile
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
import pyzipper
import zstandard
from msoffcrypto.format.ooxml import OOXMLFile

from mailweir.config import Clamd as Settings
from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.content.scanner import Scanner
from tests.harness.servers import Servers
from trial.clamav import EICAR, Clamd

TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
FILLER = bytes(range(256)) * 40
LETTERS = bytes(random.Random(1).choices(b"abcd", k=4000))  # with which zstd packs what follows by the bit


def packed(name: str, content: bytes, password: str = "") -> bytes:
    out = io.BytesIO()
    encryption = pyzipper.WZ_AES if password else None
    with pyzipper.AESZipFile(out, "w", encryption=encryption) as archive:  # type: ignore[arg-type]
        if password:
            archive.setpassword(password.encode())
        archive.writestr(name, content)
    return out.getvalue()


def workbook(content: bytes, password: str) -> bytes:
    """Encrypted as Excel does it."""
    out, inner = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("xl/x.bin", content + FILLER)
    OOXMLFile(inner).encrypt(password, out)
    return out.getvalue()


def mail(**files: bytes) -> bytes:
    message = EmailMessage()
    message["X-First"], message["From"], message["To"] = "y", "a@example.com", "b@example.org"
    message.set_content("See below.\n")
    for name, data in files.items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


@pytest.fixture
def scanner(clamd: Clamd) -> Scanner:
    return Scanner(replace(Config(), clamd=Settings(servers=[clamd.address])))


def scan(scanner: Scanner, message: bytes, *passwords: str) -> Scan:
    return scanner.scan_message(io.BytesIO(message), len(message), passwords=passwords)


def seen(result: Scan) -> list[tuple[str, str]]:
    assert result.unavailable == ""
    return [(finding.kind, finding.part) for finding in result.findings]


def test_what_only_the_walk_can_open(scanner: Scanner) -> None:
    """One clamd for all cases, as it takes seconds to start."""
    assert seen(scan(scanner, mail(a=b"clean"))) == []
    assert seen(scan(scanner, mail(a=b"clean", b=EICAR))) == [("virus", "3/b")]
    assert seen(scan(scanner, mail(a=packed("x", EICAR)))) == [("virus", "2/a")]
    assert seen(scan(scanner, mail(a=zstandard.compress(LETTERS + EICAR)))) == [("virus", "2/a/content")]
    default = workbook(EICAR, "VelvetSweatshop")
    assert ("virus", "2/a") in seen(scan(scanner, mail(a=default)))
    locked = mail(a=packed("x", EICAR, "secret"))
    assert seen(scan(scanner, locked)) == [("encrypted-zip", "2/a")]
    assert seen(scan(scanner, locked, "wrong", "secret")) == [("virus", "2/a/x")]
    assert seen(scan(scanner, mail(a=workbook(EICAR, "secret")), "secret"))[0][0] == "virus"

    from_file = Path("/var/tmp/mw-virus.eml")
    from_file.write_bytes(mail(a=FILLER * 500, b=EICAR))
    with from_file.open("rb") as body:
        assert seen(scanner.scan_message(body, from_file.stat().st_size)) == [("virus", "3/b")]
    from_file.unlink()

    small = Scanner(replace(scanner.config, clamd=replace(scanner.config.clamd, max_stream=5000)))
    assert seen(scan(small, mail(a=FILLER, b=EICAR))) == [("limit-exceeded", "2/a"), ("virus", "3/b")]
    small.close()
    scanner.close()


def test_clamd_stopped_is_unavailable_and_findings_are_kept(scanner: Scanner, servers: Servers) -> None:
    locked = mail(a=packed("x", EICAR, "secret"))
    assert seen(scan(scanner, locked)) == [("encrypted-zip", "2/a")]
    servers.processes.stop_all()
    result = scan(scanner, locked)
    assert [finding.kind for finding in result.findings] == ["encrypted-zip"]
    assert "no virus scanner answers" in result.unavailable
    scanner.close()


def test_a_stream_over_tcp(clamd: Clamd) -> None:
    """A forwarder stands in for a clamd on another host."""
    listener = socket.create_server(("127.0.0.1", 0))

    def forward() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            other = socket.socket(socket.AF_UNIX)
            other.connect(str(clamd.socket))
            for source, target in ((one, other), (other, one)):
                threading.Thread(target=_copy, args=(source, target), daemon=True).start()

    threading.Thread(target=forward, daemon=True).start()
    address = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    remote = Scanner(replace(Config(), clamd=Settings(servers=[address])))
    assert seen(scan(remote, mail(a=FILLER * 200, b=EICAR))) == [("virus", "3/b")]
    remote.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    target.close()
