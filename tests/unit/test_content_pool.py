"""The child processes: whatever becomes of one, the worker lives and says what happened."""

from __future__ import annotations

import io
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator

import pytest

from mailweir.config import Config, Content
from mailweir.content.findings import Scan
from mailweir.content.scanner import Scanner
from mailweir.errors import ConfigError

MakeScanner = Callable[..., Scanner]


@pytest.fixture
def make() -> Iterator[MakeScanner]:
    """Makes scanners with these limits, and closes them."""
    made: list[Scanner] = []

    def one(**limits: float) -> Scanner:
        made.append(Scanner(Config(content=Content(**limits)), clamd=False))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for scanner in made:
        scanner.close()


def packed(data: bytes = b"content") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", data)
    return out.getvalue()


def scan(scanner: Scanner, data: bytes, name: str = "a.zip") -> Scan:
    return scanner.scan_file(name, io.BytesIO(data), len(data))


def kinds(result: Scan) -> list[str]:
    return [finding.kind for finding in result.findings]


def test_plain_text_needs_no_child(make: MakeScanner) -> None:
    scanner = make()
    assert scan(scanner, b"just words\n").findings == ()
    assert scanner.pool._template is None


def test_a_child_that_died_while_idle_is_replaced_unnoticed(make: MakeScanner) -> None:
    scanner = make()
    assert scan(scanner, packed()[:-30]).findings[0].kind == "corrupt"
    os.kill(scanner.pool._idle[0].pid, signal.SIGKILL)
    assert kinds(scan(scanner, packed()[:-30])) == ["corrupt"]


def test_a_template_that_died_is_started_again(make: MakeScanner) -> None:
    scanner = make()
    scan(scanner, packed())
    template = scanner.pool._template
    assert template
    template.kill()
    template.wait()
    assert kinds(scan(scanner, packed()[:-30])) == ["corrupt"]
    assert scan(scanner, packed()).unavailable == ""


def test_a_child_that_hangs_is_killed_at_the_budget(make: MakeScanner) -> None:
    scanner = make(time_budget=0.3)
    scan(scanner, packed())
    pid = scanner.pool._idle[0].pid
    os.kill(pid, signal.SIGSTOP)
    (finding,) = scan(scanner, packed()).findings
    assert (finding.kind, finding.part) == ("limit-exceeded", "a.zip")
    assert "content.time_budget" in finding.detail
    assert scan(scanner, packed()).findings == ()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_crash_is_told_and_survived(make: MakeScanner) -> None:
    scanner = make()
    scan(scanner, packed())
    pid = scanner.pool._idle[0].pid
    os.kill(pid, signal.SIGSTOP)
    crash = threading.Timer(0.1, lambda: (os.kill(pid, signal.SIGSEGV), os.kill(pid, signal.SIGCONT)))
    crash.start()
    # The first message from the child was never sent, so the item is given to a new child.
    assert scan(scanner, packed()).findings == ()
    crash.join()


def test_memory_is_limited(make: MakeScanner) -> None:
    scanner = make(child_memory=60_000_000)
    body = b"{\\rtf1 " + b"{\\object{\\*\\objdata " + b"00" * 40_000_000 + b"}}}"
    (finding,) = scan(scanner, body, "a.rtf").findings
    assert finding.kind == "limit-exceeded"
    assert "content.child_memory" in finding.detail
    assert scan(scanner, packed()).findings == ()


@pytest.mark.parametrize(
    ("limits", "data", "setting"),
    [
        ({"max_bytes": 1_000_000}, packed(bytes(2_000_000)), "content.max_bytes"),
        ({"ratio_from": 1_000_000, "max_ratio": 100}, packed(bytes(2_000_000)), "content.max_ratio"),
        ({"max_files": 1}, packed(), "content.max_files"),
        ({"max_depth": 2}, packed(packed(packed(packed()))), "content.max_depth"),
    ],
)
def test_each_limit_names_its_setting(
    make: MakeScanner, limits: dict[str, float], data: bytes, setting: str
) -> None:
    (finding,) = scan(make(**limits), data).findings
    assert finding.kind == "limit-exceeded"
    assert setting in finding.detail


def test_many_threads_share_the_children(make: MakeScanner) -> None:
    scanner = make(children=2)
    results: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(kinds(scan(scanner, packed()[:-30]))))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [["corrupt"]] * 12
    assert len(scanner.pool._idle) <= 2


def test_waiting_too_long_for_a_child_is_no_finding(make: MakeScanner) -> None:
    scanner = make(children=1, time_budget=0.05)
    with scanner.pool.place():
        result = scan(scanner, packed())
    assert result.findings == ()
    assert "content.children" in result.unavailable


def test_nothing_is_left_running(make: MakeScanner) -> None:
    scanner = make()
    scan(scanner, packed())
    template, child = scanner.pool._template, scanner.pool._idle[0].pid
    assert template
    scanner.close()
    assert template.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_without_libarchive_nothing_is_scanned(make: MakeScanner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or every archive would be told to be damaged."""
    monkeypatch.setenv("LIBARCHIVE", "/nonexistent/libarchive.so")
    with pytest.raises(ConfigError, match="apt-get install libarchive13"):
        make()
