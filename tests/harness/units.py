"""What the systemd units say, for tests that hold it against the programs that they start."""

from __future__ import annotations

from pathlib import Path

DIRECTORY = Path(__file__).parents[2] / "systemd"


def names() -> list[str]:
    """All units' file names."""
    return sorted(path.name for path in DIRECTORY.glob("*.service"))


def settings(name: str) -> dict[str, list[str]]:
    """A unit's settings, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in (DIRECTORY / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(key, []).append(value)
    return found


def confined(name: str) -> list[str]:
    """A command line that gives what follows it no more capabilities than the unit does."""
    (allowed,) = settings(name)["CapabilityBoundingSet"]
    capabilities = [f"+{word.removeprefix('CAP_').lower()}" for word in allowed.split()]
    return ["setpriv", "--no-new-privs", f"--bounding-set={','.join(['-all', *capabilities])}", "--"]
