"""Where the trial lives: its state directory and ports, and what to do when the wanted ones are no good."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from trial.ports import free_port, is_free
from trial.postfix import reachable
from trial.stack import Ports

CHECKOUT = Path(__file__).parent.parent.parent
ELSEWHERE = Path("/var/lib/mailweir-trial")  # when the wanted directory is no good for Postfix
MARK = "made-by-mailweir-trial"
PREFERRED = Ports(smtp=2525, hold=10026, resubmit=10027, local=2526, remote=2527, web=8025)
PURPOSES = {
    "smtp": "SMTP",
    "hold": "the holding service",
    "resubmit": "the re-submission service",
    "local": "the receiving server",
    "remote": "the receiving server of the Internet's side",
    "web": "the pages",
}


class NotOurs(Exception):
    """The directory holds somebody else's files; the message says so."""


def choose_state(wanted: Path | None, say: Callable[[str], None]) -> Path:
    """The state directory: the wanted one, or another that Postfix can use, saying why."""
    state = (wanted or CHECKOUT / "var").absolute()
    if not (reason := reachable(state)):
        return state
    say(f"Postfix could not use {state}: {reason}. Using {ELSEWHERE} instead.")
    return ELSEWHERE


def clear(state: Path) -> None:
    """Make the directory, or empty it of what an earlier trial left. Raises NotOurs for anybody else's."""
    mark = state / MARK
    if state.exists() and any(state.iterdir()) and not mark.exists():
        raise NotOurs(f"{state} is not empty and was not made by the trial; name another with --state")
    if state.exists():
        for item in state.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    mark.touch()


def choose_ports(say: Callable[[str], None]) -> Ports:
    """The usual ports, or others where something else listens, saying so."""
    chosen: dict[str, int] = {}
    for item in fields(Ports):
        port: int = getattr(PREFERRED, item.name)
        if not is_free(port):
            busy, port = port, free_port()
            say(f"Port {busy}, meant for {PURPOSES[item.name]}, is used by another program: taking {port}.")
        chosen[item.name] = port
    return Ports(**chosen)
