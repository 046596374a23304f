"""Damaged files of every format: no exception escapes, no budget is exceeded, no child dies.

`MAILWEIR_FUZZ_EXAMPLES` sets how many: by default the same ones each time, with it others each time.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailweir.config import Config, Content
from mailweir.content.findings import KINDS
from mailweir.content.scanner import Scanner

CONTENT = Path(__file__).resolve().parents[1] / "data/content"
LARGEST = 100_000
EXAMPLES = int(os.environ.get("MAILWEIR_FUZZ_EXAMPLES", "6000"))
BUDGET = 10.0

# One change: what is done, where (as a share of the file), with which bytes.
CHANGE = st.tuples(
    st.sampled_from(["flip", "put", "cut", "insert", "repeat", "end"]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(
        [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80", b"PK\x03\x04", b"\r\n", b"<"]
    ),
)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """The corpus's smaller files; sorted, so that a failing example can be repeated."""
    made = subprocess.run(
        [sys.executable, "-W", "ignore", CONTENT / "make.py"], stdout=subprocess.PIPE, check=True
    )
    directory = Path(made.stdout.decode().strip())
    paths = [path for path in sorted(directory.iterdir()) if path.stat().st_size <= LARGEST]
    return [path.read_bytes() for path in paths if not path.name.startswith("bomb")]


@pytest.fixture(scope="module")
def scanner() -> Iterator[Scanner]:
    made = Scanner(Config(content=Content(time_budget=BUDGET)), clamd=False)
    yield made
    made.close()


def changed(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    """The file after these changes."""
    out = bytearray(data)
    for what, share, piece in changes:
        at = int(len(out) * share)
        if what == "flip" and out:
            out[at] ^= 1 << (piece[0] & 7)
        elif what == "put":
            out[at : at + len(piece)] = piece
        elif what == "cut":
            del out[at : at + 37]
        elif what == "insert":
            out[at:at] = piece * 3
        elif what == "repeat":
            out[at:at] = out[at // 2 : at // 2 + 60]
        elif what == "end":
            del out[at:]
    return bytes(out)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="MAILWEIR_FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 10_000), st.lists(CHANGE, min_size=1, max_size=6), st.booleans())
def test_nothing_escapes(
    files: list[bytes],
    scanner: Scanner,
    which: int,
    changes: list[tuple[str, float, bytes]],
    as_message: bool,
) -> None:
    data = changed(files[which % len(files)], changes)
    began = time.monotonic()
    body = io.BytesIO(data)
    if as_message:
        result = scanner.scan_message(body, len(data))
    else:
        result = scanner.scan_file("file", body, len(data))
    assert time.monotonic() - began < BUDGET + 2
    assert result.unavailable == ""
    for finding in result.findings:
        assert finding.kind in KINDS
        assert "its reader died" not in finding.detail
