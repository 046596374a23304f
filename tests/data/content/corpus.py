"""The labelled corpus: files with the kinds that a scan must name in each, no more and no fewer."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

LABELS = "labels.json"
TEXT = b"Quarterly figures, made up for a test.\n"


class Corpus:
    """Files below one directory; `labels.json` names their kinds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.labels: dict[str, list[str]] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, data: bytes, *kinds: str) -> bytes:
        """Write one file with its label; gives the bytes back, to be built upon."""
        if name in self.labels:
            raise ValueError(f"{name} twice")
        (self.directory / name).write_bytes(data)
        self.labels[name] = sorted(kinds)
        return data

    def take(self, path: Path, name: str, *kinds: str) -> bytes:
        """Add a file that a tool has written elsewhere."""
        return self.add(name, path.read_bytes(), *kinds)

    def save(self) -> None:
        """Write the labels."""
        (self.directory / LABELS).write_text(json.dumps(self.labels, indent=1, sort_keys=True))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(seed).randbytes(size)


def run(*command: object, cwd: Path | None = None, data: bytes | None = None) -> bytes:
    """Run a tool and give its output."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, input=data, capture_output=True, check=True).stdout
