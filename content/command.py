"""`mailweir scan`: what the filter would see in a file, and what it would do, without any server running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailweir.config import Config
from mailweir.content.findings import Scan
from mailweir.content.scanner import Scanner
from mailweir.content.sniff import is_message

if TYPE_CHECKING:
    from mailweir.policies.verdict import Verdict


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@click.option("--no-clamd", is_flag=True, help="Leave the virus scanner out.")
@click.option(
    "--password", "passwords", multiple=True, help="Try this on what is encrypted; may be repeated."
)
@click.option("--sender", default="", help="Decide as for mail from this address.")
@click.option("--recipient", default="", help="Decide as for mail to this address.")
@click.pass_obj
def scan(
    config: Config,
    files: tuple[Path, ...],
    as_json: bool,
    no_clamd: bool,
    passwords: tuple[str, ...],
    sender: str,
    recipient: str,
) -> None:
    """Say what is encrypted, infected or cannot be scanned in FILES; a .eml is read as a whole message."""
    scanner = Scanner(config, clamd=not no_clamd)
    failed = False
    try:
        for path in files:
            try:
                result = scan_path(scanner, path, passwords)
            except OSError as error:
                click.echo(f"mailweir: {path}: {error.strerror}", err=True)
                failed = True
                continue
            verdict = _decide(config, result, sender, recipient)
            click.echo(_json(path, result, verdict) if as_json else _text(path, result, verdict))
    finally:
        scanner.close()
    if failed:
        raise SystemExit(1)


def scan_path(scanner: Scanner, path: Path, passwords: tuple[str, ...] = ()) -> Scan:
    """Scan one file: as a message when its name or its beginning says so. Raises OSError."""
    with path.open("rb") as body:
        size = path.stat().st_size
        head = body.read(4096)
        body.seek(0)
        if path.suffix.lower() == ".eml" or is_message(head):
            return scanner.scan_message(body, size, passwords=passwords)
        return scanner.scan_file(path.name, body, size, passwords=passwords)


def _decide(config: Config, result: Scan, sender: str, recipient: str) -> Verdict:
    """By the policies in force on this machine (the built-in ones where there are none)."""
    from mailweir.policies import addresses
    from mailweir.policies.scopes import PolicySet
    from mailweir.policies.verdict import Action, decide
    from mailweir.records.words import Direction

    policies = PolicySet.default()
    if config.policy_snapshot.exists():
        policies = PolicySet.from_json(json.loads(config.policy_snapshot.read_text("utf-8")))
    to_us, from_us = (policies.is_ours(addresses.domain_of(one)) for one in (recipient, sender))
    return decide(
        policies,
        direction=Direction.OUTBOUND if from_us and not to_us else Direction.INBOUND,
        sender=sender,
        recipient=recipient,
        findings=result.findings,
        unavailable=result.unavailable,
        on_unavailable=Action(config.clamd.unavailable),
        now=time.time(),
    )


def _json(path: Path, result: Scan, verdict: Verdict) -> str:
    answer: dict[str, object] = {
        "file": str(path),
        "verdict": verdict.action.value,
        "findings": [finding.as_dict() for finding in result.findings],
        "trace": verdict.trace.as_dict(),
        "why": verdict.trace.sentence(),
    }
    if result.unavailable:
        answer["unavailable"] = result.unavailable
    return json.dumps(answer)


def _text(path: Path, result: Scan, verdict: Verdict) -> str:
    lines = [f"{path}: {verdict.action.value}", f"  {verdict.trace.sentence()}"]
    lines += [f"  {finding.part}  {finding.kind}: {finding.detail}" for finding in result.findings]
    if result.unavailable:
        lines.append(f"  {result.unavailable}")
    return "\n".join(lines)
