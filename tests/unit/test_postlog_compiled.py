"""The modules that read the log are compiled (setup.py), and give what they give as plain Python."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PLAIN = """
import sys
from importlib.machinery import FileFinder, SourceFileLoader

def finder(path):
    if "/mailweir" not in path[len(sys.argv[1]):] or "site-packages" in path:
        raise ImportError(path)
    return FileFinder(path, (SourceFileLoader, [".py"]))

sys.path_hooks.insert(0, finder)
sys.path_importer_cache.clear()
"""
READ = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from mailweir.postlog import lines, stamps, track
from tests.harness.many_lines import many_lines

counts, reader, tracker = lines.Counts(), stamps.Stamps(2e9), track.Tracker(0)
texts = list(many_lines(20_000, everything=True))
rows = hashlib.sha256()
for start in range(0, len(texts), 500):
    tracker.feed(lines.read(texts[start : start + 500], reader, counts))
    rows.update(repr(tracker.flush().as_list()).encode())
print(track.__file__.rpartition(".")[2], rows.hexdigest(), counts, tracker.orphaned, tracker.state())
"""


def _read(before: str = "") -> tuple[str, str]:
    command = [sys.executable, "-c", before + READ, str(CHECKOUT)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    suffix, _, rest = done.stdout.partition(" ")
    return suffix, rest


def test_all_that_setup_names_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    monkeypatch.setitem(sys.modules, "mypyc.build", None)
    for source in runpy.run_path(str(CHECKOUT / "setup.py"))["COMPILED"]:
        name = source.removesuffix(".py").replace("/", ".")
        found = subprocess.run(
            [sys.executable, "-c", f"import {name}; print({name}.__file__)"],
            cwd=CHECKOUT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert found.stdout.strip().endswith(".so"), f"{name} runs as plain Python: run pip install -e ."


def test_plain_python_gives_the_same_rows() -> None:
    compiled, plain = _read(), _read(PLAIN)
    assert (compiled[0], plain[0]) == ("so", "py")
    assert compiled[1] == plain[1]
    assert "read=20" in compiled[1]
