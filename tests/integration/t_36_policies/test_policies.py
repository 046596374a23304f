"""Policies on real mail: scopes and allow entries of each form, both directions, as the filter does them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailweir.policies.scopes import AllowEntry, PolicySet, Scope
from mailweir.policies.trace import Trace
from mailweir.records.words import Direction
from tests.harness.filtered import Filtered, NotAccepted, mail
from tests.harness.servers import Servers
from trial import files
from trial.waiting import wait_for

NOW_AND_EVER, LONG_AGO = 4_000_000_000.0, 1_000_000_000.0
LISTED = {"inbound.encrypted": "allow-list", "outbound.encrypted": "allow-list"}
IN, OUT = Direction.INBOUND, Direction.OUTBOUND


@pytest.fixture(scope="module")
def filtered() -> Iterator[Filtered]:
    """One milter for all tests of this file; it believes mx.example.org's Authentication-Results."""
    state = Path(tempfile.mkdtemp(prefix="mw-", dir="/var/tmp"))
    state.chmod(0o755)
    servers = Servers(state)
    try:
        receiver = servers.receiver()
        postfix = servers.postfix(receiver, recipient_delimiter="+", in_flow_delay="0")
        filtered = Filtered(servers, postfix, receiver, "")
        filtered.start(
            clamd__servers=[], clamd__unavailable="accept", milter__trusted_authserv=["mx.example.org"]
        )
        yield filtered
    finally:
        servers.stop()
        shutil.rmtree(state)


def publish(filtered: Filtered, *scopes: Scope, **domains: bool) -> None:
    """Put the policies in force, as the agent does."""
    document = PolicySet(
        scopes, {name.replace("_", "."): ours for name, ours in domains.items()}, "+"
    ).to_json()
    new = filtered.state / "policies.json.new"
    new.write_text(json.dumps(document))
    new.rename(filtered.state / "policies.json")


def verdict(
    filtered: Filtered,
    recipient: str,
    *,
    sender: str = "sender@example.com",
    proof: str = "",
    zipped: bool = True,
) -> tuple[str, Trace]:
    """Send an encrypted archive; what the journal says became of it, checked against queue and receiver."""
    before = len(filtered.receiver.received()), len(filtered.postfix.queue())
    head = {"Authentication_Results": f"mx.example.org; {proof}"} if proof else {}
    message = mail("figures", files.encrypted_zip() if zipped else files.macro_xlsm(), "figures.zip", **head)
    try:
        filtered.send(message, recipient, sender=sender, options=["SMTPUTF8"])
    except NotAccepted as error:
        assert str(error).startswith("550 5.7.1")
    line = filtered.journal()[-1]
    (found,) = line["recipients"]
    if found["verdict"] == "accept":
        filtered.receiver.wait_for(before[0] + 1)
    elif found["verdict"] == "stall":
        wait_for(lambda: len(filtered.postfix.queue()) == before[1] + 1, "it to be held")
        assert filtered.postfix.queue()[-1]["queue_name"] == "hold"
    return found["verdict"], Trace.from_dict(found["trace"])


@pytest.mark.parametrize(
    ("pattern", "listed", "unlisted"),
    [
        ("user@example.org", "User+tag@example.org", "other@example.org"),
        ("example.org", "anybody@example.org", "user@example.net"),
        (".example.org", "anybody@example.org", "user@example.net"),
        ("bücher@example.org", "bücher@example.org", "bucher@example.org"),
    ],
)
def test_a_recipient_entry_of_each_form_inbound(
    filtered: Filtered, pattern: str, listed: str, unlisted: str
) -> None:
    publish(filtered, Scope("default", fields=LISTED, allow=(AllowEntry(IN, pattern),)))
    state, trace = verdict(filtered, listed)
    assert (state, trace.entry) == ("accept", pattern)
    assert verdict(filtered, unlisted)[0] == "stall"


@pytest.mark.parametrize(
    ("pattern", "listed", "unlisted"),
    [
        ("partner@example.com", "partner@example.com", "other@example.com"),
        (".bücher.example", "x@lager.xn--bcher-kva.example", "x@bucher.example"),
    ],
)
def test_a_recipient_entry_outbound(filtered: Filtered, pattern: str, listed: str, unlisted: str) -> None:
    ours = "user@example.org"
    publish(filtered, Scope("default", fields=LISTED, allow=(AllowEntry(OUT, pattern),)))
    assert verdict(filtered, listed, sender=ours)[0] == "accept"
    assert verdict(filtered, unlisted, sender=ours)[0] == "stall"


def test_an_expired_entry_and_one_of_the_other_direction_do_not_count(filtered: Filtered) -> None:
    entries = (
        AllowEntry(IN, "old@example.org", expires=LONG_AGO),
        AllowEntry(IN, "new@example.org", expires=NOW_AND_EVER),
        AllowEntry(OUT, "out@example.org"),
    )
    publish(filtered, Scope("default", fields=LISTED, allow=entries))
    got = [verdict(filtered, f"{name}@example.org")[0] for name in ("old", "new", "out")]
    assert got == ["stall", "accept", "stall"]


def test_a_sender_entry_counts_for_proven_senders_only(filtered: Filtered) -> None:
    entry = AllowEntry(IN, "partner@example.com", "sender")
    publish(filtered, Scope("default", fields=LISTED, allow=(entry,)))
    partner: dict[str, Any] = {"sender": "partner@example.com"}
    passed = "dmarc=pass header.from=example.com"
    assert verdict(filtered, "user@example.org", **partner)[0] == "stall"
    assert (
        verdict(filtered, "user@example.org", proof="spf=fail smtp.mailfrom=example.com", **partner)[0]
        == "stall"
    )
    assert (
        verdict(filtered, "user@example.org", proof="dkim=pass header.d=evil.example", **partner)[0]
        == "stall"
    )
    state, trace = verdict(filtered, "user@example.org", proof=passed, **partner)
    assert (state, trace.entry) == ("accept", "sender partner@example.com")
    assert verdict(filtered, "user@example.org", proof=passed)[0] == "stall", "another sender"
    fields = LISTED | {"inbound.forged_senders": True}
    publish(filtered, Scope("default", fields=fields, allow=(entry,)))
    assert verdict(filtered, "user@example.org", **partner)[0] == "accept"


def test_group_domain_and_default_each_for_its_own_field(filtered: Filtered) -> None:
    publish(
        filtered,
        Scope("default", fields={"inbound.unscannable": "reject"}),
        Scope("domain", "example.net", fields={"inbound.encrypted": "allow"}),
        Scope("group", "sales", ("boss@example.net",), {"inbound.unscannable": "stall"}),
    )
    assert verdict(filtered, "user@example.org")[0] == "reject"
    assert verdict(filtered, "user@example.net")[0] == "accept"
    assert verdict(filtered, "user@example.net", zipped=False)[0] == "reject"
    state, trace = verdict(filtered, "boss@example.net", zipped=False)
    assert (state, trace.scope, trace.scope_name) == ("stall", "group", "sales")
    assert "the policy of group sales says “Stall”" in trace.sentence()


def test_only_the_kinds_that_count_are_unscannable(filtered: Filtered) -> None:
    publish(filtered, Scope("default", fields={"inbound.kinds": ["tracking", "corrupt"]}))
    assert verdict(filtered, "user@example.org", zipped=False)[0] == "accept", "a macro does not count"
    publish(filtered, Scope("default", fields={"inbound.kinds": ["macro"]}))
    assert verdict(filtered, "user@example.org", zipped=False)[0] == "stall"


def test_what_is_queued_anew_is_not_filtered_again(filtered: Filtered) -> None:
    """Force of mail that was held for long comes down to this, and must not end in the quarantine again."""
    publish(filtered, Scope("default"))
    known = {item["queue_id"] for item in filtered.postfix.queue()}
    assert verdict(filtered, "user@example.org")[0] == "stall"
    (queue_id,) = {item["queue_id"] for item in filtered.postfix.queue()} - known
    before = len(filtered.journal()), len(filtered.receiver.received())
    filtered.postfix.command("postsuper", "-r", queue_id)
    filtered.postfix.command("postkick", "public", "pickup", "W")
    arrived = filtered.receiver.wait_for(before[1] + 1)[-1]
    assert b"figures.zip" in arrived.content
    assert len(filtered.journal()) == before[0]
    assert {item["queue_id"] for item in filtered.postfix.queue()} == known


def test_the_domain_table_overrides_what_postfix_calls_it(filtered: Filtered) -> None:
    """Here example.com is handed to another server by smtp, but is declared to be ours."""
    scopes = Scope("default", fields={"inbound.encrypted": "allow", "outbound.encrypted": "reject"})
    publish(filtered, scopes)
    assert verdict(filtered, "user@example.com")[0] == "reject"
    publish(filtered, scopes, example_com=True)
    assert verdict(filtered, "user@example.com")[0] == "accept"
