"""A private Postfix: its own configuration, queue, data and log below one directory, never /etc/postfix.

It is Debian's stock master.cf plus exactly the lines that administrators copy from the two files beside this
package, so those lines are known to work.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trial.ports import LOOPBACK, answers, free_port
from trial.processes import CommandFailed, run
from trial.waiting import wait_for

EXAMPLES = Path(__file__).parent.parent
STOCK_MASTER = Path("/usr/share/postfix/master.cf.dist")
LEFT_OUT = re.compile(r"\spipe(\s|$)|^smtp\s+inet")  # of the stock file: pipes, and port 25
RESOLVER_FILES = (
    "hosts",
    "resolv.conf",
    "services",
    "nsswitch.conf",
    "localtime",
)  # for the chrooted services
OUR_DOMAINS = ("example.org", "example.net")

MAIN = """\
compatibility_level = 3.6
myhostname = mail.example.org
mydomain = example.org
myorigin = $mydomain
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtputf8_enable = yes
biff = no
delay_warning_time = 0
"""


@dataclass(frozen=True)
class Postfix:
    """One instance below `directory`; mail comes in at smtp_port and goes to the ports local and remote.

    `settings` are further main.cf lines (they win); `filtered=False` leaves the filter out, for tests of what
    comes after it. Keep the directory's path short and open to all: the postfix user must enter it.
    """

    directory: Path
    local: int
    remote: int
    smtp_port: int = field(default_factory=free_port)
    hold_port: int = field(default_factory=free_port)
    resubmit_port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    filtered: bool = True

    @property
    def holding_service(self) -> str:
        """host:port of the smtpd that holds everything."""
        return f"{LOOPBACK}:{self.hold_port}"

    @property
    def resubmit_service(self) -> str:
        """host:port of the smtpd without filters."""
        return f"{LOOPBACK}:{self.resubmit_port}"

    @property
    def config_directory(self) -> Path:
        """main.cf and master.cf."""
        return self.directory / "etc"

    @property
    def queue_directory(self) -> Path:
        """The queue, and the root of the chrooted services."""
        return self.directory / "queue"

    @property
    def log(self) -> Path:
        """The mail log."""
        return self.directory / "log" / "mail.log"

    @property
    def milter_socket(self) -> Path:
        """Where smtpd looks for the filter."""
        return self.queue_directory / "mailweir" / "milter.sock"

    def configure(self) -> None:
        """Write the configuration and make the directories with the owners that Postfix wants."""
        for path in (self.config_directory, self.queue_directory, self.directory / "data", self.log.parent):
            path.mkdir(parents=True, exist_ok=True)
        shutil.chown(self.directory / "data", "postfix", "root")
        self.milter_socket.parent.mkdir(exist_ok=True)
        shutil.chown(self.milter_socket.parent, "root", "postfix")
        self.milter_socket.parent.chmod(0o750)
        for name in RESOLVER_FILES:
            copy = self.queue_directory / "etc" / name
            copy.parent.mkdir(exist_ok=True)
            if (original := Path("/etc", name)).exists():
                shutil.copyfile(original, copy)
        (self.config_directory / "main.cf").write_text(self._main())
        (self.config_directory / "master.cf").write_text(self._master())
        unfiltered = {} if self.filtered else {"smtpd_milters": "", "non_smtpd_milters": ""}
        if changes := unfiltered | dict(self.settings):
            self.command("postconf", "-e", *(f"{name}={value}" for name, value in changes.items()))

    def start(self) -> None:
        """Configure and start; returns when it answers. Raises CommandFailed or WaitedTooLong."""
        self.configure()
        self.command("postfix", "start")
        wait_for(
            lambda: all(answers(port) for port in (self.smtp_port, self.hold_port, self.resubmit_port)),
            "Postfix",
            explain=self._last_words,
        )

    def stop(self) -> None:
        """Stop it; nothing happens when it is not running."""
        if self.running:
            self.command("postfix", "stop", check=False)
            wait_for(lambda: not self.running, "the end of Postfix")

    def reload(self, **settings: str) -> None:
        """Change main.cf settings in the running instance."""
        for name, value in settings.items():
            self.command("postconf", "-e", f"{name}={value}")
        self.command("postfix", "reload")

    @property
    def running(self) -> bool:
        """Whether its master process lives."""
        if not (self.config_directory / "main.cf").exists():
            return False
        status = subprocess.run(
            ["postfix", "-c", str(self.config_directory), "status"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return status.returncode == 0

    def command(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of Postfix's commands on this instance: postsuper, postqueue, postcat, postconf …"""
        return run([program, "-c", self.config_directory, *arguments], check=check)

    def queue(self) -> list[dict[str, Any]]:
        """What `postqueue -j` lists."""
        listing = subprocess.run(
            ["postqueue", "-c", str(self.config_directory), "-j"], stdout=subprocess.PIPE, check=True
        )
        return [json.loads(line) for line in listing.stdout.splitlines()]

    def sendmail(self, message: bytes, sender: str, *recipients: str) -> None:
        """Hand a message to the sendmail command, as a program on this machine would."""
        arguments = ["sendmail", "-C", str(self.config_directory), "-i", "-f", sender, "--", *recipients]
        done = subprocess.run(arguments, input=message, capture_output=True, check=False)
        if done.returncode:
            raise CommandFailed(f"sendmail failed: {done.stderr.decode(errors='replace').strip()}")

    def rotate(self) -> None:
        """Rename the log and begin a new one; Postfix names it by the second, so at most once in each."""
        wait_for(
            lambda: not self.log.with_name(f"{self.log.name}.{time.strftime('%Y%m%d-%H%M%S')}").exists(),
            "the next second",
        )
        self.command("postfix", "logrotate")

    def _main(self) -> str:
        text = f"# Made by trial/postfix.py; the lines to copy stand in {EXAMPLES / 'main.cf'}.\n{MAIN}"
        # Our domains go to one receiving server through `relay`, the Internet's to the other through `smtp`.
        text += (
            f"relay_domains = {', '.join(OUR_DOMAINS)}\n"
            f"relay_transport = relay:[{LOOPBACK}]:{self.local}\n"
            f"default_transport = smtp:[{LOOPBACK}]:{self.remote}\n"
            f"queue_directory = {self.queue_directory}\n"
            f"data_directory = {self.directory / 'data'}\n"
            f"maillog_file = {self.log}\n"
            f"maillog_file_prefixes = {self.log.parent}\n"
        )
        return text + "\n" + (EXAMPLES / "main.cf").read_text("utf-8")

    def _master(self) -> str:
        services = {
            key: entry
            for key, entry in master_entries(STOCK_MASTER.read_text()).items()
            if not LEFT_OUT.search(entry)
        }
        example = (EXAMPLES / "master.cf").read_text("utf-8")
        example = example.replace("127.0.0.1:10026 ", self.holding_service + " ")
        example = example.replace("127.0.0.1:10027 ", self.resubmit_service + " ")
        services |= master_entries(example)
        public = f"{LOOPBACK}:{self.smtp_port} inet n - y - - smtpd"
        return "\n".join(["# Made by trial/postfix.py.", public, *services.values()]) + "\n"

    def _last_words(self) -> str:
        return (
            "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-5:])
            if self.log.exists()
            else "no log"
        )


def master_entries(text: str) -> dict[tuple[str, str], str]:
    """The services of a master.cf by name and type, each with its continuation lines (master(5))."""
    entries: dict[tuple[str, str], str] = {}
    key: tuple[str, str] | None = None
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            if key:
                entries[key] += "\n" + line
            continue
        name, kind, *_ = line.split()
        key = (name, kind)
        entries[key] = line
    return entries


def reachable(directory: Path) -> str:
    """Why the postfix user could not enter that directory, in words; empty when it can."""
    for parent in [*reversed(directory.parents), directory]:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            return f"{parent} is closed to other users, among them postfix"
    longest = len(os.fsencode(directory / "postfix/queue/mailweir/milter.sock.new"))
    return f"{directory} is too long a path for sockets" if longest > 107 else ""
