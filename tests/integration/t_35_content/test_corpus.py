"""Every file of the labelled corpus gets exactly its kinds, whatever its name and wrapping."""

from __future__ import annotations

import email
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailweir.config import Config, Content
from mailweir.content import rar_tool
from mailweir.content.budget import Budget
from mailweir.content.command import scan_path
from mailweir.content.findings import KINDS
from mailweir.content.item import Item
from mailweir.content.scanner import Scanner
from mailweir.content.walk import Hooks, Walk

CONTENT = Path(__file__).resolve().parents[2] / "data/content"


@pytest.fixture(scope="module")
def corpus() -> Path:
    """The corpus, made when its makers have changed."""
    made = subprocess.run(
        [sys.executable, "-W", "ignore", CONTENT / "make.py"], stdout=subprocess.PIPE, check=True
    )
    return Path(made.stdout.decode().strip())


@pytest.fixture(scope="module")
def scanner() -> Iterator[Scanner]:
    made = Scanner(Config(), clamd=False)
    yield made
    made.close()


def test_every_file_gets_exactly_its_kinds(corpus: Path, scanner: Scanner) -> None:
    labels = json.loads((corpus / "labels.json").read_text())
    assert len(labels) >= 400
    wrong = {}
    for name, wanted in labels.items():
        result = scan_path(scanner, corpus / name)
        seen = sorted({finding.kind for finding in result.findings})
        if seen != wanted or result.unavailable:
            wrong[name] = (wanted, seen, result.unavailable)
    assert wrong == {}


def test_every_kind_is_in_the_corpus(corpus: Path) -> None:
    labels = json.loads((corpus / "labels.json").read_text())
    assert {kind for kinds in labels.values() for kind in kinds} == set(KINDS) - {"virus"}


@pytest.mark.parametrize("name", ["rar4", "rar4-old", "rar5"])
def test_the_unpackers_read_volumes_too(corpus: Path, name: str) -> None:
    """As they do for passwords and for what libarchive cannot read."""
    message = email.message_from_bytes((corpus / f"all-volumes-{name}-plain.eml").read_bytes())
    files = {part.get_filename(): part.get_payload(decode=True) for part in message.walk()}
    del files[None]
    volumes = [files[key] for key in sorted(files, key=lambda key: key.replace(".rar", ".0"))]
    cuts = tuple(itertools.accumulate(map(len, volumes[:-1]), initial=0))
    seen: list[tuple[str, int]] = []
    hooks = Hooks(lambda _: None, lambda _: None, seen=lambda part, _, size: seen.append((part, size)))
    walk = Walk(Budget(Content(), time.monotonic() + 60), hooks)
    rar_tool.members(walk, Item("a.rar", "a.rar", b"".join(volumes), cuts=cuts))
    assert seen == [("a.rar/inner.zip", 3000)]


def test_labels_agree_with_other_tools(corpus: Path) -> None:
    checked = subprocess.run(
        [sys.executable, CONTENT / "check.py", corpus], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
