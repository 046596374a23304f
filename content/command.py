"""`mailweir scan`: what the filter would see in a file, and what it would do, without any server running."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.content.scanner import Scanner, Seen
from mailweir.content.sniff import is_message
from mailweir.errors import InputError

if TYPE_CHECKING:
    from mailweir.policies.scopes import PolicySet
    from mailweir.policies.verdict import Verdict

_HEAD = 4096
_MANY = 5  # from so many files on, progress is shown


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@click.option("--no-clamd", is_flag=True, help="Leave the virus scanner out.")
@click.option(
    "--password", "passwords", multiple=True, help="Try this on what is encrypted; several are allowed."
)
@click.option("--sender", default="", help="Decide as for mail from this address.")
@click.option("--recipient", default="", help="Decide as for mail to this address.")
@click.option(
    "--outbound",
    is_flag=True,
    help="Decide as for mail that leaves: by the policies of its sender.",
)
@click.pass_obj
def scan(
    config: Config,
    files: tuple[Path, ...],
    as_json: bool,
    no_clamd: bool,
    passwords: tuple[str, ...],
    sender: str,
    recipient: str,
    outbound: bool,
) -> None:
    """Say what is encrypted, infected or cannot be scanned in FILES; a .eml is read as a whole message.

    With --sender or --recipient the policies in force decide, as the agent last published them; without,
    those that hold when nobody has set any.
    """
    from mailweir.content import explain

    named = bool(sender or recipient)
    policies = _policies(config, published=named)
    scanner = Scanner(config, clamd=not no_clamd)
    failed = False
    try:
        for path in _progress(files):
            tree: list[tuple[str, str, int]] = []
            try:
                result = scan_path(scanner, path, passwords, None if as_json else _into(tree))
            except OSError as error:
                click.echo(f"mailweir: {path}: {error.strerror}", err=True)
                failed = True
                continue
            verdict = _decide(config, policies, result, sender, recipient, outbound=outbound)
            if as_json:
                click.echo(_json(path, result, verdict, traced=named))
            else:
                click.echo(explain.text(str(path), tree, result, verdict, traced=named))
    finally:
        scanner.close()
    if failed:
        raise SystemExit(InputError.exit_code)


def _into(tree: list[tuple[str, str, int]]) -> Seen:
    return lambda part, format_, size: tree.append((part, format_, size))


def scan_path(scanner: Scanner, path: Path, passwords: Iterable[str] = (), seen: Seen | None = None) -> Scan:
    """Scan one file: as a message when its name or its beginning says so. Raises OSError."""
    with path.open("rb") as file:
        body: BinaryIO = file
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe: cannot seek, and has no size
            body = io.BytesIO(file.read())
        size = body.seek(0, os.SEEK_END)
        body.seek(0)
        head = body.read(_HEAD)
        body.seek(0)
        words = list(passwords)
        if path.suffix.lower() == ".eml" or is_message(head):
            return scanner.scan_message(body, size, passwords=words, seen=seen)
        return scanner.scan_file(path.name, body, size, passwords=words, seen=seen)


def _progress(files: tuple[Path, ...]) -> Iterator[Path]:
    """The files, with a bar on a terminal's stderr when they are many and stdout goes elsewhere."""
    if len(files) < _MANY or not sys.stderr.isatty() or sys.stdout.isatty():
        yield from files
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(files, "Scanning", console=Console(stderr=True), transient=True)


def _policies(config: Config, *, published: bool) -> PolicySet:
    from mailweir.policies.scopes import PolicySet

    if not published:
        return PolicySet.default()
    try:
        return PolicySet.from_json(json.loads(config.policy_snapshot.read_text("utf-8")))
    except FileNotFoundError:
        return PolicySet.default()
    except (OSError, ValueError) as error:
        raise InputError(f"{config.policy_snapshot}: cannot be read: {error}") from error


def _decide(
    config: Config, policies: PolicySet, result: Scan, sender: str, recipient: str, *, outbound: bool
) -> Verdict:
    from mailweir.policies.verdict import Action, decide
    from mailweir.records.words import Direction

    return decide(
        policies,
        direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
        sender=sender,
        recipient=recipient,
        findings=result.findings,
        unavailable=result.unavailable,
        on_unavailable=Action(config.clamd.unavailable),
        now=time.time(),
    )


def _json(path: Path, result: Scan, verdict: Verdict, *, traced: bool) -> str:
    answer: dict[str, object] = {
        "file": str(path),
        "verdict": verdict.action.value,
        "findings": [finding.as_dict() for finding in result.findings],
    }
    if result.unavailable:
        answer["unavailable"] = result.unavailable
    if traced:
        answer["trace"] = verdict.trace.as_dict()
    return json.dumps(answer)
