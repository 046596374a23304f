"""What Postfix's own settings mean for the policies."""

from __future__ import annotations

import pwd
import subprocess
from pathlib import Path

import pytest

from mailweir.agent.postconf import PostfixSettings, contradiction, of_postsuper, parse, read
from mailweir.config import Config
from mailweir.config import Postfix as PostfixConfig
from mailweir.errors import Unavailable

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5d", 5 * DAY), ("5", 5 * DAY), ("36h", 1.5 * DAY), ("2w", 14 * DAY), ("90 s", 90.0), ("$x", 0.0)],
)
def test_postconf_s_answer(text: str, seconds: float) -> None:
    output = f"recipient_delimiter = +-\nmaximal_queue_lifetime = {text}\nenable_long_queue_ids = yes\n"
    output += "relay_domains = Example.ORG, hash:/etc/postfix/relay !not.example\nmydestination =\n"
    assert parse(output) == PostfixSettings("+-", frozenset({"example.org"}), seconds, True)
    assert parse("recipient_delimiter =\n").recipient_delimiter == ""


def test_a_lifetime_shorter_than_the_policies_and_short_ids_are_told() -> None:
    assert contradiction(PostfixSettings(lifetime=11 * DAY), 10.5 * DAY) == ""
    told = contradiction(PostfixSettings(lifetime=10 * DAY, long_ids=False), 10.5 * DAY)
    assert "postconf -e maximal_queue_lifetime=11d" in told
    assert "enable_long_queue_ids=yes" in told


def test_domains_that_stand_in_tables_only(tmp_path: Path) -> None:
    """With postconf and postmap themselves: hosting tables, as the manuals of Postfix show them."""
    (tmp_path / "vhosts").write_text("one.example OK\nTWO.example\tOK\n.sub.example OK\n")
    (tmp_path / "virtual").write_text("three.example anything\nanna@four.example bob\nroot bob\n")
    (tmp_path / "main.cf").write_text(
        "mydestination = mail.example, localhost\n"
        f"virtual_mailbox_domains = proxy:hash:{tmp_path / 'vhosts'}\n"
        f"virtual_alias_maps = hash:{tmp_path / 'virtual'}\n"
        f"relay_domains = hash:{tmp_path / 'missing'}, pcre:{tmp_path / 'patterns'}, five.example\n"
    )
    (tmp_path / "master.cf").touch()
    for name in ("vhosts", "virtual"):
        subprocess.run(["postmap", "-c", str(tmp_path), f"hash:{tmp_path / name}"], check=True)
    found = read(Config(postfix=PostfixConfig(config_directory=str(tmp_path))))
    ours = {"one.example", "two.example", "three.example", "five.example", "mail.example", "localhost"}
    assert found.domains == ours


def test_an_instances_own_postsuper_in_systemds_journal(tmp_path: Path) -> None:
    """Another instance's postsuper speaks of other queue files, and has another name."""
    (tmp_path / "main.cf").write_text("multi_instance_name = postfix-out\nmail_owner = daemon\n")
    (tmp_path / "master.cf").touch()
    matches = of_postsuper(Config(postfix=PostfixConfig(config_directory=str(tmp_path))))
    assert matches == ("SYSLOG_IDENTIFIER=postfix-out/postsuper", f"_UID={pwd.getpwnam('daemon').pw_uid}")


def test_no_postconf_is_something_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Postfix's name in the log"):
        of_postsuper(Config(postfix=PostfixConfig(config_directory=str(tmp_path / "none"))))
