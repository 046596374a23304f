"""What the agent wants to know of Postfix's own settings, by way of postconf(1).

The address delimiter and the domains that Postfix takes mail for, so that the policies compare addresses as
Postfix does and mail of the sendmail command, for which no delivery class is told, gets its direction right.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailweir.config import Config
from mailweir.errors import Unavailable

_OWN = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
_DELIMITER = "recipient_delimiter"
_LIFETIME, _LONG_IDS = "maximal_queue_lifetime", "enable_long_queue_ids"
_TIME = re.compile(r"(\d+)\s*([smhdw]?)")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 86_400}  # without a unit: days
_DOMAIN = re.compile(r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*")


@dataclass(frozen=True)
class PostfixSettings:
    """recipient_delimiter, and the domains named in main.cf; those that stand in tables are not listed.

    lifetime is maximal_queue_lifetime in seconds; long_ids says whether queue IDs are never used again.
    """

    recipient_delimiter: str = ""
    domains: frozenset[str] = frozenset()
    lifetime: float = 0.0
    long_ids: bool = True


def parse(text: str) -> PostfixSettings:
    """Read what `postconf -x` prints: a line `name = value` for each setting.

    Tables (hash:/…), files (/…), exceptions (!…) and patterns are passed over: what they hold is for the
    domain table on the Policies page to say.
    """
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    words = " ".join(values.get(name, "") for name in _OWN).replace(",", " ").split()
    domains = frozenset(word.lower() for word in words if _DOMAIN.fullmatch(word))
    return PostfixSettings(
        values.get(_DELIMITER, ""),
        domains,
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
    command = [
        str(Path(config.postfix.command_directory, "postconf")),
        "-c",
        config.postfix.config_directory,
        "-x",
        _DELIMITER,
        _LIFETIME,
        _LONG_IDS,
        *_OWN,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=config.helper.timeout, check=True, encoding="utf-8"
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise Unavailable(f"postconf does not tell Postfix's settings: {error}") from error
    return parse(done.stdout)
