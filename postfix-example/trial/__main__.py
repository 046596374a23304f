"""The one-command trial: start everything, send samples, show what became of them.

`postfix-example/run` and `postfix-example/stop` prepare the ground and call this.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trial.places import MARK, NotOurs, choose_ports, choose_state, clear
from trial.policies import allow_encrypted_mail_to
from trial.processes import CommandFailed
from trial.samples import ALLOWED, SAMPLES
from trial.stack import Ports, Stack
from trial.waiting import WaitedTooLong, wait_for
from trial.watch import Sent, explain, follow, send

USER = "admin"
console = Console(highlight=False, soft_wrap=True)
STATE = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for queue, log, records and settings; default var/ in the checkout.",
)


def say(text: str) -> None:
    """One step of progress."""
    console.print(f"  {text}", markup=False)


@click.group()
def trial() -> None:
    """Mailweir on a private Postfix."""


@trial.command()
@STATE
@click.option("--check", is_flag=True, help="Check every sample's state, then stop everything again.")
def run(state: Path | None, check: bool) -> None:
    """Start everything and send the samples; exits with 1 if one is not where it should be."""
    began = time.monotonic()
    state = choose_state(state, say)
    stop_stack(state)
    clear(state)
    ports = choose_ports(say)
    (state / MARK).write_text(json.dumps(asdict(ports)))
    stack = Stack(state, ports)
    try:
        password = start(stack)
        sent = [send(stack, sample) for sample in SAMPLES]
        say(f"sent {len(sent)} sample messages, waiting for what becomes of them")
        follow(stack, sent, say)
    except (CommandFailed, WaitedTooLong, RuntimeError, OSError) as error:
        console.print(f"The trial cannot go on: {error}", markup=False)
        console.print(f"The logs are in {state / 'run'} and {stack.postfix.log}", markup=False)
        stop_stack(state)
        sys.exit(1)
    console.print(table(sent))
    wrong = [one for one in sent if not one.as_expected]
    for one in wrong:
        console.print(f"WRONG: {one.sample.subject}: {explain(one)}", markup=False)
    if check:
        stop_stack(state)
        say(f"stopped; queue, log and records stay in {state}")
    else:
        console.print(f"Pages:    {stack.url}\nUser:     {USER}\nPassword: {password}", markup=False)
        console.print(f"Commands: .venv/bin/mailweir --config {stack.config_file} mail-in", markup=False)
        console.print(f"SMTP:     127.0.0.1:{stack.ports.smtp}   Log: {stack.postfix.log}", markup=False)
        console.print("Stop it with postfix-example/stop", markup=False)
    right = len(sent) - len(wrong)
    say(f"{right} of {len(sent)} samples are as expected ({time.monotonic() - began:.0f} s)")
    sys.exit(1 if wrong else 0)


@trial.command()
@STATE
def stop(state: Path | None) -> None:
    """Stop what `run` started; nothing else."""
    state = choose_state(state, say)
    say("stopped" if stop_stack(state) else f"nothing was running in {state}")


def start(stack: Stack) -> str:
    """Start every part, telling which; returns the password of the pages' user."""
    say(f"state directory {stack.state}")
    stack.configure()
    allow_encrypted_mail_to(ALLOWED, stack.config_file)
    output = stack.mailweir("user", "add", USER, "--generate")
    password = output.split()[-1]
    say("receiving SMTP servers, one for our domains and one for the rest of the world")
    stack.start_receiver()
    say("clamd, with a small signature database")
    stack.clamd.start(stack.processes)
    say("mailweir queue-helper, agent, milter, web (as root here; packages run them as users with less)")
    stack.start_mailweir()
    snapshot = stack.state / "mailweir" / "policies.json"
    wait_for(
        lambda: snapshot.exists() and ALLOWED in snapshot.read_text(),
        "the policies",
        explain=lambda: stack.last_words("agent"),
    )
    say("a private Postfix")
    stack.postfix.start()
    return password


def stop_stack(state: Path) -> bool:
    """Stop what runs there; whether anything did."""
    mark = state / MARK
    if not mark.exists() or not mark.read_text():
        return False
    stack = Stack(state, Ports(**json.loads(mark.read_text())))
    running = stack.postfix.running or any(map(stack.processes.alive, stack.processes.names()))
    stack.stop()
    return running


def table(sent: list[Sent]) -> Table:
    """Message → state."""
    shown = Table("", "message", "recipient", "state", "Mail In ID", box=None, pad_edge=False)
    for one in sent:
        mark = "[green]✓[/]" if one.as_expected else "[red]✗[/]"
        for number, (address, expected) in enumerate(one.sample.expected.items()):
            state = one.states.get(address, "no record")
            colour = "" if state == expected else "[red]"
            subject, identifier = (one.sample.subject, one.mail_in_id) if number == 0 else ("", "")
            shown.add_row(mark if number == 0 else "", subject, address, colour + state, identifier)
    return shown


def main() -> None:
    """Run the command."""
    try:
        trial(prog_name="postfix-example")
    except NotOurs as error:
        console.print(str(error), markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
