"""The walk: look at one thing, recognise it, and hand it to the module that knows its format.

The same walk runs in the worker, where formats that have hostile parsers are handed on to a child process,
and in that child, where they are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from mailweir.content.budget import Budget
from mailweir.content.findings import Finding
from mailweir.content.item import Buffer, Item, forget
from mailweir.content.sniff import sniff
from mailweir.content.trouble import Corrupt, LimitExceeded, Unsupported

# format -> module with `look(walk, item)`
HERE = {  # cheap and safe: looked at in the worker itself
    "message": "mime",
    "text": "text",
    "utf16": "utf16",
    "closed": "closed",
    "arj": "closed",
    "volume": "closed",
    "rpmsg": "rpmsg",
}
ISOLATED = {  # opened in a child process
    "zip": "zip",
    "ole": "ole",
    "pdf": "pdf",
    "cms": "smime",
    "pgp": "pgp",
    "7z": "sevenzip",
    "gzip": "gz",
    "rar": "rar",
    "tnef": "tnef",
    "rtf": "rtf",
    "wordxml": "wordxml",
    "flatodf": "flatodf",
    "activemime": "activemime",
    "biff": "xls",
    "program": "program",
    **dict.fromkeys(
        (
            "tar",
            "cpio",
            "cab",
            "iso",
            "lha",
            "ar",
            "xar",
            "rpm",
            "bzip2",
            "xz",
            "lzma",
            "zstd",
            "lz4",
            "lzip",
            "compress",
        ),
        "archives",
    ),
}
MAX_FINDINGS = 200
MAX_DETAIL = 300


class _Module(Protocol):
    def look(self, walk: Walk, item: Item) -> None: ...


@dataclass(slots=True)
class Hooks:
    """Whom a walk tells what.

    report gets each finding once; opened gets contents that clamd cannot see in the message as it is, such
    as decrypted ones; attached gets each part of the message itself; seen gets the part, format and size of
    each thing that is looked at; unlocked gets an encrypted kind of which something could be read. isolate,
    where given, opens an item of an ISOLATED format elsewhere.
    """

    report: Callable[[Finding], None]
    opened: Callable[[Item], None]
    attached: Callable[[Item], None] = lambda _: None
    seen: Callable[[str, str, int], None] | None = None
    unlocked: Callable[[str], None] = lambda _: None
    isolate: Callable[[Item, str], None] | None = None


class Walk:
    """One message's (or file's) walk: collects findings, counts against the budget."""

    def __init__(self, budget: Budget, hooks: Hooks, passwords: Iterable[str] = ()) -> None:
        self.budget = budget
        self.hooks = hooks
        self.passwords = list(passwords)
        self.readable: set[str] = set()
        self._found: set[tuple[str, str]] = set()

    def found(self, kind: str, item: Item, detail: str = "") -> None:
        """Report a finding about the item, once for each kind and place."""
        key = (kind, item.part)
        if key in self._found or len(self._found) >= MAX_FINDINGS:
            return
        self._found.add(key)
        self.hooks.report(Finding(kind, item.part, item.name, detail[:MAX_DETAIL]))

    def unlocked(self, kind: str) -> None:
        """Note that something of that kind could be read, by a password or without asking for one."""
        if kind not in self.readable:
            self.readable.add(kind)
            self.hooks.unlocked(kind)

    @property
    def count(self) -> int:
        """How many findings there are so far."""
        return len(self._found)

    def attachment(self, item: Item) -> None:
        """Note a part of the message itself, for the list of attachments."""
        self.hooks.attached(item)

    def opened(self, item: Item) -> None:
        """Say that the item's bytes are not in the message as such and want their own virus scan."""
        self.hooks.opened(item)

    def look(self, item: Item) -> None:
        """Recognise the item and open it. Raises LimitExceeded only where it ends the whole walk."""
        try:
            self.budget.enter(item.depth)
        except LimitExceeded as error:
            self._limit(item, error)
            return
        format_ = sniff(item)
        if self.hooks.seen:
            self.hooks.seen(item.part, format_, len(item.data))
        if format_:
            self.look_as(format_, item)
        forget(item.data)

    def look_as(self, format_: str, item: Item) -> None:
        """Open the item as that format, in a child process where the format asks for it."""
        if format_ in ISOLATED and self.hooks.isolate:
            self.hooks.isolate(item, format_)
        else:
            self.open(item, format_)

    def open(self, item: Item, format_: str) -> None:
        """Let the format's module look into the item; what it raises becomes a finding."""
        module: _Module = import_module("mailweir.content." + (HERE.get(format_) or ISOLATED[format_]))
        try:
            module.look(self, item)
        except LimitExceeded as error:
            self._limit(item, error)
        except Corrupt as error:
            self.found("corrupt", item, str(error))
        except Unsupported as error:
            self.found("unsupported", item, str(error))
        except MemoryError:
            limit = self.budget.limits.child_memory
            self.found(
                "limit-exceeded", item, f"needs more than {limit} bytes of memory (content.child_memory)"
            )
        except RecursionError:
            self.found("limit-exceeded", item, "nested too deeply for its reader")
        except Exception as error:  # noqa: BLE001 - whatever a parser of hostile bytes raises, the walk goes on
            self.found("corrupt", item, f"its reader gave up: {type(error).__name__}: {error}")

    def member(self, item: Item, name: str, data: Buffer, type_: str = "") -> None:
        """Look at something found inside the item."""
        self.look(item.member(name, data, type_))

    def _limit(self, item: Item, error: LimitExceeded) -> None:
        self.found("limit-exceeded", item, str(error))
        if error.whole:
            raise error
