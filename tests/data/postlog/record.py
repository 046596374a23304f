"""Records incidents: provokes each on a real private Postfix and keeps the lines that it logged.

`python tests/data/postlog/record.py [NAME…]` (as root, Postfix installed) writes NN-name.log beside itself;
the expected records are made and looked over with `expect.py`. Incidents that a Postfix on this machine
cannot be brought to (new year's night, lost lines, another version's wording) are written by hand, as *.log
with a number from 60 on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[2] / "postfix-example"), str(HERE)]

from scripted_server import ScriptedServer  # noqa: E402

INCIDENTS: list[tuple[int, str, Callable[[Instance], None]]] = []
LATER = 80  # number of the first incident recorded after those written by hand
SERVICES = """\
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
  -o syslog_name=postfix/relay
talk      unix  -       -       n       -       -       smtp
  -o debug_peer_list=static:all
  -o debug_peer_level=1
pickup    unix  n       -       n       1       1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
tlsproxy  unix  -       -       n       -       0       tlsproxy
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
failing   unix  -       n       n       -       10      pipe
  flags=R user=nobody argv=/bin/false
later     unix  -       n       n       -       10      pipe
  flags=R user=nobody argv=/bin/sh -c {exit 75}
taking    unix  -       n       n       -       10      pipe
  flags=R user=nobody argv=/bin/cat
"""


class Instance:
    """A private Postfix with a scripted receiving server behind it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = ScriptedServer()
        self.port = free_port()
        self.other_port = free_port()
        self.copies_port = free_port()
        self.log = directory / "log" / "mail.log"

    def start(self) -> None:
        """Write the configuration and start."""
        for name in ("etc", "queue", "data", "log", "spool"):
            (self.directory / name).mkdir(exist_ok=True)
        shutil.chown(self.directory / "data", "postfix")
        (self.directory / "spool").chmod(0o1777)
        server = f"[127.0.0.1]:{self.server.port}"
        routes = {
            "talk.example": f"talk:{server}",
            "inside.example": f"relay:{server}",
            "closed.example": f"smtp:[127.0.0.1]:{free_port()}",
            "error.example": "error:5.1.0 this domain takes no mail",
            "retry.example": "retry:4.7.0 not today",
            "discard.example": "discard:thrown away",
            "failing.example": "failing:",
            "later.example": "later:",
            "taking.example": "taking:",
            "lmtp.example": f"lmtp:inet:127.0.0.1:{self.server.port}",
            "unknown-host.example": "smtp:",
        }
        table = " ".join(f"{{ {domain} = {route} }}" for domain, route in routes.items())
        (self.directory / "etc/main.cf").write_text(
            textwrap.dedent(f"""\
            compatibility_level = 3.6
            queue_directory = {self.directory}/queue
            data_directory = {self.directory}/data
            maillog_file = {self.log}
            maillog_file_prefixes = {self.directory}/log
            myhostname = mail.example.org
            mydestination = local.example
            virtual_mailbox_domains = virtual.example
            virtual_mailbox_base = {self.directory}/spool
            virtual_mailbox_maps = inline:{{ {{ box@virtual.example = box/ }} }}
            virtual_uid_maps = static:65534
            virtual_gid_maps = static:65534
            virtual_alias_domains = alias.example
            virtual_alias_maps = inline:{{ {{ two@alias.example = ok@far.example,unknown@far.example }}
              {{ one@alias.example = ok@far.example }} }}
            alias_maps = inline:{{ {{ team = ok@far.example, alice }} {{ command = "|/bin/cat >/dev/null" }}
              {{ away = ok@far.example }} {{ alice = /dev/null }} }}
            alias_database =
            mailbox_size_limit = 0
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            mynetworks = 127.0.0.0/8
            default_transport = smtp:{server}
            transport_maps = inline:{{ {table} }}
            smtp_dns_support_level = disabled
            smtp_host_lookup = native
            enable_long_queue_ids = yes
            notify_classes =
            minimal_backoff_time = 1h
            maximal_backoff_time = 1h
            smtp_connection_cache_on_demand = no
            smtpd_error_sleep_time = 0
            smtpd_sasl_auth_enable = no
            """)
        )
        (self.directory / "etc/master.cf").write_text(
            f"127.0.0.1:{self.port} inet n - n - - smtpd\n"
            f"127.0.0.1:{self.other_port} inet n - n - - smtpd\n"
            "  -o syslog_name=postfix/hold\n"
            "  -o smtpd_recipient_restrictions=static:HOLD,permit_mynetworks,reject\n"
            "  -o smtpd_authorized_xforward_hosts=127.0.0.0/8\n"
            f"127.0.0.1:{self.copies_port} inet n - n - - smtpd\n"
            "  -o syslog_name=postfix/copies\n"
            "  -o { smtpd_recipient_restrictions = static:{WARN is in this copy}, static:HOLD, permit }\n"
            "  -o smtpd_authorized_xforward_hosts=127.0.0.0/8\n" + SERVICES
        )
        self.command("postfix", "start")
        self.wait(lambda: b"daemon started" in self.log.read_bytes())

    def stop(self) -> None:
        """Stop everything."""
        self.command("postfix", "stop", check=False)
        self.server.stop()

    def command(self, *arguments: str, check: bool = True) -> str:
        """One of Postfix's commands."""
        program, *rest = arguments
        done = subprocess.run(
            [program, "-c", f"{self.directory}/etc", *rest], check=check, capture_output=True, text=True
        )
        return done.stdout

    def configure(self, **settings: str) -> None:
        """Change main.cf and reload."""
        for name, value in settings.items():
            self.command("postconf", "-e", f"{name}={value}")
        before = self.log.read_bytes().count(b" reload ")
        self.command("postfix", "reload")
        self.wait(lambda: self.log.read_bytes().count(b" reload ") > before)

    def send(self, sender: str, *recipients: str, subject: str = "Hello", port: int | None = None,
             headers: dict[str, str] | None = None, options: list[str] | None = None) -> None:  # fmt: skip
        """Hand in a message; refused recipients are no error."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@b.example", "c@d.example", subject
        message["Message-ID"] = f"<{time.time_ns()}@test.example>"
        for name, value in (headers or {}).items():
            message[name] = value
        message.set_content("text\n")
        refused = contextlib.suppress(smtplib.SMTPException)
        with smtplib.SMTP("127.0.0.1", port or self.port, "client.example") as client, refused:
            client.sendmail(sender, recipients, message.as_bytes(), mail_options=options or [])

    def certificate(self) -> Path:
        """A file with a certificate for receiver.example and its key."""
        path = self.directory / "etc/certificate.pem"
        if not path.exists():
            subject = ["-subj", "/CN=receiver.example", "-addext", "subjectAltName=DNS:receiver.example"]
            files = ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
                check=True,
                capture_output=True,
            )
            path.write_text(Path(f"{path}.key").read_text() + Path(f"{path}.crt").read_text())
        return path

    def sendmail(self, *arguments: str) -> None:
        """Hand in a message by the sendmail command."""
        subprocess.run(
            ["sendmail", "-C", f"{self.directory}/etc", *arguments],
            input=b"Subject: local\n\ntext\n",
            check=True,
        )

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until it holds; at most 20 seconds."""
        deadline = time.monotonic() + 20
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("what was waited for did not happen")
            time.sleep(0.05)

    def said(self, pattern: str, count: int = 1) -> None:
        """Wait for lines in the current incident's part of the log."""
        self.wait(lambda: len(re.findall(pattern, self.lines())) >= count)

    def settled(self) -> None:
        """Wait until nothing is being received or delivered."""
        self.wait(lambda: not any(name in ("active", "incoming", "maildrop") for name, _ in self.queue()))
        time.sleep(0.3)

    def queue(self) -> list[tuple[str, str]]:
        """Queue name and ID of every message."""
        import json

        rows = [json.loads(line) for line in self.command("postqueue", "-j").splitlines()]
        return [(row["queue_name"], row["queue_id"]) for row in rows]

    def one(self) -> str:
        """The ID of the only message in the queue."""
        self.wait(lambda: len(self.queue()) == 1)
        return self.queue()[0][1]

    def lines(self) -> str:
        """What has been logged since the incident began."""
        return self.log.read_bytes()[self.begun :].decode("utf-8", "replace")

    begun = 0


def free_port() -> int:
    """A port that nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def incident(function: Callable[[Instance], None]) -> Callable[[Instance], None]:
    """Enter a function into the list; its name becomes the incident's."""
    return _enter(len(INCIDENTS) + 1, function)


def later_incident(function: Callable[[Instance], None]) -> Callable[[Instance], None]:
    """The same, with a number after those of the incidents written by hand."""
    return _enter(max(LATER, INCIDENTS[-1][0] + 1), function)


def _enter(number: int, function: Callable[[Instance], None]) -> Callable[[Instance], None]:
    INCIDENTS.append((number, function.__name__.replace("_", "-"), function))
    return function


@contextlib.contextmanager
def running() -> Iterator[Instance]:
    """An instance while it runs."""
    directory = Path(tempfile.mkdtemp(prefix="mwrec-", dir="/var/tmp"))
    directory.chmod(0o755)
    instance = Instance(directory)
    try:
        instance.start()
        yield instance
    finally:
        instance.stop()
        shutil.rmtree(directory)


def main() -> None:
    """Record all incidents, or those named."""
    import incidents  # noqa: F401 - fills INCIDENTS

    if os.geteuid() != 0:
        sys.exit("Postfix needs root: run this as root")
    wanted = sys.argv[1:]
    with running() as instance:
        for number, name, provoke in sys.modules["record"].INCIDENTS:
            if wanted and name not in wanted:
                continue
            instance.settled()
            instance.begun = instance.log.stat().st_size
            print(f"{number:02}-{name}", flush=True)
            try:
                provoke(instance)
                instance.settled()
            except TimeoutError as error:
                print(f"   {error}; its log so far:\n{instance.lines()}", flush=True)
            else:
                (HERE / f"{number:02}-{name}.log").write_text(instance.lines())
            instance.command("postsuper", "-d", "ALL")
            instance.wait(lambda: not instance.queue())


if __name__ == "__main__":
    sys.modules["record"] = sys.modules["__main__"]
    main()
