"""What the agent wants to know of Postfix's own settings, by way of postconf(1) and postmap(1).

The address delimiter and the domains that Postfix takes mail for, so that the policies compare addresses as
Postfix does and mail of the sendmail command, for which no delivery class is told, gets its direction right.
"""

from __future__ import annotations

import logging
import pwd
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailweir.config import Config
from mailweir.errors import Unavailable
from mailweir.postlog import journald

log = logging.getLogger("mailweir.agent")

_OWN = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
_DELIMITER = "recipient_delimiter"
_LIFETIME, _LONG_IDS = "maximal_queue_lifetime", "enable_long_queue_ids"
_TIME = re.compile(r"(\d+)\s*([smhdw]?)")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 86_400}  # without a unit: days
_DOMAIN = re.compile(r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*")


_LISTED = frozenset({"btree", "cdb", "hash", "lmdb"})  # tables whose keys `postmap -s` lists
_MOST = 20_000  # domains of one table; the filter's workers keep them all in memory


@dataclass(frozen=True)
class PostfixSettings:
    """recipient_delimiter, and the domains that main.cf names, or the tables that it names.

    lifetime is maximal_queue_lifetime in seconds; long_ids says whether queue IDs are never used again.
    """

    recipient_delimiter: str = ""
    domains: frozenset[str] = frozenset()
    lifetime: float = 0.0
    long_ids: bool = True


def parse(text: str, keys_of: Callable[[str], Iterable[str]] = lambda _: ()) -> PostfixSettings:
    """Read what `postconf -x` prints: a line `name = value` for each setting.

    keys_of lists a table such as hash:/etc/postfix/relay. What cannot be listed (SQL, LDAP, patterns, files,
    exceptions) is passed over: its domains are for the domain table on the Policies page to say.
    """
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    words = " ".join(values.get(name, "") for name in _OWN).replace(",", " ").split()
    domains = {word.lower() for word in words if _DOMAIN.fullmatch(word)}
    for table in dict.fromkeys(word.removeprefix("proxy:") for word in words):
        if table.partition(":")[0] in _LISTED:
            # A table of virtual aliases has addresses and local parts among its domains.
            domains |= {key.lower() for key in keys_of(table) if "." in key and _DOMAIN.fullmatch(key)}
    return PostfixSettings(
        values.get(_DELIMITER, ""),
        frozenset(domains),
        _seconds(values.get(_LIFETIME, "")),
        values.get(_LONG_IDS) == "yes",
    )


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    return float(int(match[1]) * _UNITS[match[2]]) if match else 0.0


def contradiction(settings: PostfixSettings, longest: float) -> str:
    """What in main.cf spoils what we promise, and what to do; "" when nothing does.

    longest is the longest lifetime that a policy grants, in seconds.
    """
    found = []
    if settings.lifetime < longest:
        found.append(
            f"Postfix ends mail after {settings.lifetime / 3600:g} hours, before the policies do: "
            f"postconf -e {_LIFETIME}={int(longest // _UNITS['d']) + 1}d"
        )
    if not settings.long_ids:
        found.append(f"queue IDs are short, and so used again: postconf -e {_LONG_IDS}=yes")
    return "; ".join(found)


def read(config: Config) -> PostfixSettings:
    """The instance's settings now. Raises Unavailable when postconf cannot tell."""
    try:
        text = _run(config, "postconf", "-x", _DELIMITER, _LIFETIME, _LONG_IDS, *_OWN)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise Unavailable(f"postconf does not tell Postfix's settings: {error}") from error
    return parse(text, lambda table: _keys(config, table))


def of_postsuper(config: Config) -> Sequence[str]:
    """What matches the instance's own postsuper in systemd's journal. Raises Unavailable."""
    try:
        name, owner = _run(config, "postconf", "-hx", "syslog_name", "mail_owner").split()
        return journald.of_postsuper(name, pwd.getpwnam(owner).pw_uid)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise Unavailable(f"postconf does not tell Postfix's name in the log: {error}") from error


def _keys(config: Config, table: str) -> list[str]:
    """What stands at the left in a table; nothing when we may not read it or it is very long."""
    try:
        lines = _run(config, "postmap", "-s", table).splitlines()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        log.info("the domains in %s are not known: %s", table, error)
        return []
    if len(lines) > _MOST:
        log.info("%s has more than %d entries: its domains are for the Policies page to say", table, _MOST)
        return []
    return [line.partition("\t")[0] for line in lines]


def _run(config: Config, command: str, *arguments: str) -> str:
    program = str(Path(config.postfix.command_directory, command))
    return subprocess.run(
        [program, "-c", config.postfix.config_directory, *arguments],
        capture_output=True,
        timeout=config.helper.timeout,
        check=True,
        encoding="utf-8",
    ).stdout
