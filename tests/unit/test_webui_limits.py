"""A user limited to domains never sees another domain's data: every route there is, with marked foreign data.

The routes are those of the application itself, so a new one is walked as soon as it is registered.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from mailweir.agent import publish
from mailweir.policies.scopes import AllowEntry
from mailweir.records import audit, ids, models
from mailweir.records.models import (
    ApiToken,
    Command,
    Finding,
    Message,
    Node,
    Notice,
    Policy,
    Recipient,
    Reject,
    SavedSearch,
    User,
)
from mailweir.records.words import CommandState, Direction, LegKind, Outcome, Queue, Source, Status
from mailweir.webui import policy_store
from mailweir.webui.policy_store import By
from mailweir.webui.profile import digest
from tests.unit.webui_client import Pages, hidden

MARK = "zqforeignqz"  # stands in whatever belongs to the other domain
PART = "qforeignq"  # finds it without being it: a page repeats what was searched for
OWN, FOREIGN = "own.example", f"{MARK}.example"
KEY = "0123456789abcdef" * 2
TOKEN = "a-token-of-the-limited-user"
QUERIES = (
    {},
    {"q": PART},
    {"q": f"to:{PART}"},
    {"q": f"subject:{PART}"},
    {"q": f"file:{PART}"},
    {"q": "status:stalled,deferred,failed,delivered"},
    {"by": "reason"},
    {"address": f"x@{OWN}", "acted": KEY},
)


class Marked:
    """Own and foreign mail, policies, acts and the rest, with the numbers by which routes name them."""

    def __init__(self) -> None:
        self.now = time.time()
        self.count = 0
        own = (f"a@{OWN}", f"b@{OWN}")
        self.messages = [
            self.message("partner@x.example", "ours", [own[0]], Status.STALLED),
            self.message(own[1], "ours out", ["y@x.example"], Status.DEFERRED, Direction.OUTBOUND),
            self.message("partner@x.example", "for two", [own[0], f"{MARK}@{FOREIGN}"], Status.STALLED),
            *(
                self.message(f"{MARK}@x.example", MARK, [f"{MARK}@{FOREIGN}"], status)
                for status in (Status.STALLED, Status.DEFERRED, Status.DELIVERED, Status.FAILED)
            ),
            self.message(f"{MARK}@{FOREIGN}", MARK, [f"{MARK}@x.example"], Status.QUEUED, Direction.OUTBOUND),
        ]
        self.foreign = self.messages[3:]
        self.rejected()
        self.policies()
        self.people()

    def identifier(self) -> int:
        self.count += 1
        return ids.first_id(int(self.now * 1000) - self.count * 1000) + self.count

    def address(self, address: str) -> int:
        domain = address.rpartition("@")[2]
        row, _ = models.Address.get_or_create(
            address=address, defaults={"folded": address, "domain_reversed": domain[::-1]}
        )
        return int(row.id)

    def message(
        self, sender: str, subject: str, to: list[str], status: Status, way: Direction = Direction.INBOUND
    ) -> int:
        """A message with its queue file, findings, attempts, one session for all of them, and acts."""
        made, leg, talk = self.identifier(), self.identifier(), self.identifier()
        foreign = subject if subject == MARK else ""
        Message.create(
            id=made, node_id=0, source=Source.MILTER, sender_id=self.address(sender), subject=subject,
            message_id=f"<{made}@x.example>", client_name=foreign or "client", client_ip="203.0.113.9",
            helo=foreign, reply=foreign, verdict="stall" if status is Status.STALLED else "accept",
        )  # fmt: skip
        models.Leg.create(
            id=leg, node_id=0, queue_id=f"4Zq{self.count:04d}Bx0zKk", arrival=int(self.now * 1e6),
            message_id=made, kind=LegKind.FIRST, size=10,
            queue=Queue.HOLD if status is Status.STALLED else Queue.DEFERRED,
        )  # fmt: skip
        Finding.create(message_id=made, kind="encrypted-zip", part="2", name=foreign or "a.zip")
        models.Attachment.create(
            message_id=made, part="2", name=foreign or "a.zip", type="application/zip", sha256="a" * 64
        )
        models.Session.create(
            id=talk, node_id=0, source=Source.LOG, outcome=Outcome.DEFERRED, reconstructed=False,
            lines="\n".join(f"> RCPT TO:<{one}>" for one in to),
        )  # fmt: skip
        for address in to:
            words = MARK if MARK in address + sender else "450 try later"
            number = self.address(address)
            Recipient.create(
                message_id=made, address_id=number, direction=way, status=status, leg_id=leg, attempts=1,
                dsn="4.2.0", reply=words, changed=self.now, verdict="stall", trace="{}",
            )  # fmt: skip
            models.Delivery.create(
                id=self.identifier(), message_id=made, leg_id=leg, address_id=number, session_id=talk,
                status=Outcome.DEFERRED, dsn="4.2.0", service="smtp", relay_host="mx.x.example", reply=words,
            )  # fmt: skip
            Command.create(
                key=f"{KEY if MARK in words else 'f' * 32}.{self.count}", node_id=0, action="retry",
                leg_id=leg, message_id=made, address_id=number, queue_id="4Zq", arrival=0, reason=words,
                by_user="somebody", requested=self.now, state=CommandState.FAILED, result=words,
            )  # fmt: skip
        self.talk = talk
        return made

    def rejected(self) -> None:
        for number in range(2):
            Reject.create(
                id=self.identifier(), node_id=0, stage="RCPT", client_name=MARK, helo=MARK, code=550,
                sender_id=self.address("z@x.example"), reply=f"550 {MARK}",
                recipient_id=self.address(f"{MARK}@{FOREIGN}") if number else None,
            )  # fmt: skip

    def policies(self) -> None:
        by = By("somebody", "192.0.2.1", self.now)
        self.own = policy_store.add_domain(OWN, True, by)
        self.other = policy_store.add_domain(FOREIGN, True, by)
        group = policy_store.add_group(MARK, by)
        policy_store.save_members(group, [f"{MARK}@{FOREIGN}"], by)
        entry = AllowEntry(Direction.INBOUND, FOREIGN, "recipient", None, MARK, "somebody", self.now)
        listed = {"inbound.encrypted": "allow-list", "inbound.administrators": [f"{MARK}@{FOREIGN}"]}
        for kind, number in (("default", 0), ("domain", self.other), ("group", group)):
            policy_store.save(policy_store.load(kind, number), listed, [entry], by, "0")
        # What stood under this number before, in a database that gives numbers again.
        gone = dataclasses.replace(policy_store.load("domain", self.own), name=FOREIGN)
        policy_store.note(by, "policy changed", gone, {"from": {}, "to": {"note": MARK}})

    def people(self) -> None:
        Node.update(health=json.dumps({"problems": {"notices": MARK}})).execute()
        Notice.create(key="n", recipients=f"{MARK}@{FOREIGN}", subject=MARK, body=MARK, created=self.now)
        other = User.create(name=MARK, password="-", role="viewer", domains=FOREIGN, created=self.now)
        SavedSearch.create(user_id=other.id, page="mail_in", name=MARK, query=f"q={MARK}")
        ApiToken.create(user_id=other.id, name=MARK, digest="-", created=self.now)
        audit.append(
            models.database.obj, clock=time.time, who=MARK, ip="", what="retry requested",
            message_id=self.foreign[0], detail={"reason": MARK},
        )  # fmt: skip

    def values(self, name: str) -> list[object]:
        """What may stand for a part of a route's address."""
        sessions = [row.id for row in models.Session.select(models.Session.id)]
        queued = models.Leg.select(models.Leg.queue_id).where(models.Leg.message_id.in_(self.messages))
        headers = [f"{number}@x.example" for number in self.foreign]
        known: dict[str, list[object]] = {
            "identifier": [
                *(ids.to_text(number) for number in [*self.messages, *sessions]),
                *(row.queue_id for row in queued),
                *headers,
            ],
            "kind": ["default", "domain", "group"],
            "number": [0, 1, 2],
            "side": ["inbound", "outbound"],
            "key": [KEY],
            "name": ["mail-in", "quarantine"],
        }
        assert name in known, f"a route takes {name}: say here what foreign data it could be asked for"
        return known[name]


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The marked world, and users limited to the own domain."""
    pages = Pages(tmp_path)
    models.database.connect(reuse_if_open=True)
    return pages


@pytest.fixture
def marked(pages: Pages) -> Marked:
    """What is in it."""
    return Marked()


def limit(role: str, domains: str = OWN) -> None:
    User.update(domains=domains).where(User.name == role).execute()


def token_for(role: str) -> None:
    user = User.get(User.name == role)
    ApiToken.create(user_id=user.id, name="t", digest=digest(TOKEN), created=time.time())


def paths(pages: Pages, marked: Marked, method: str) -> Iterator[tuple[Rule, str]]:
    """Every route of the application with all that could be asked of it."""
    adapter = pages.app.url_map.bind("localhost")
    for rule in pages.app.url_map.iter_rules():
        if method not in (rule.methods or ()) or rule.endpoint in ("static", "login.log_out"):
            continue
        names = sorted(rule.arguments)
        for values in itertools.product(*(marked.values(name) for name in names)):
            yield rule, adapter.build(rule.endpoint, dict(zip(names, values, strict=True)), method=method)


def said(answer: TestResponse) -> str:
    """Headers and body; of a stream without end, what it says before it first waits."""
    if answer.mimetype == "text/event-stream":
        body = "".join(chunk.decode() for chunk in itertools.islice(answer.iter_encoded(), 2))
        answer.close()
    else:
        body = answer.get_data(as_text=True)
    return f"{answer.headers}\n{body}"


def ask(client: FlaskClient, path: str, query: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {TOKEN}"} if path.startswith("/api/") else {}
    return said(client.get(path, query_string=query, headers=headers, buffered=False))


def walk(pages: Pages, marked: Marked, client: FlaskClient) -> set[str]:
    """The endpoints whose answer to a GET holds the mark."""
    found = set()
    for rule, path in paths(pages, marked, "GET"):
        for query in QUERIES if not rule.arguments or "name" in rule.arguments else QUERIES[:1]:
            if MARK in ask(client, path, query):
                found.add(rule.endpoint)
    return found


def test_no_page_file_stream_or_answer_shows_another_domains_data(pages: Pages, marked: Marked) -> None:
    token_for("administrator")
    client = pages.as_user("administrator")
    seen = walk(pages, marked, client)
    # So that silence means something: without limits the same walk meets the mark nearly everywhere.
    lists = {"mail_in", "pending", "delivery", "quarantine", "rejected"}
    assert seen >= {f"{name}.{part}" for name in lists for part in ("list_", "export")} - {
        "quarantine.export"
    }
    assert seen >= {f"api.{name}" for name in (*lists, "message", "session_", "act_results")}
    assert seen >= {"policies.list_", "policies.filtering", "policies.members", "policies.history"}
    assert seen >= {"policies.allow_list.show", "policies.export", "message.show", "session.show"}
    assert seen >= {"overview.show", "pending.grouped", "commands.results", "system.users", "system.audit_"}

    limit("administrator")
    assert walk(pages, marked, client) == set()
    assert "ours" in client.get("/mail-in").text and "ours out" in client.get("/pending").text
    assert OWN in client.get("/policies").text
    assert OWN in client.get(f"/policies/domain/{marked.own}/filtering").text


def test_nothing_that_is_sent_shows_or_changes_another_domains_data(pages: Pages, marked: Marked) -> None:
    token_for("administrator")
    limit("administrator")
    client = pages.as_user("administrator")
    before = state(marked)
    form = hidden(client.get("/quarantine").text)
    items = [f"{ids.to_text(number)} {MARK}@{FOREIGN}" for number in marked.messages]
    items += [ids.to_text(number) for number in marked.foreign]
    fields: dict[str, object] = form | {
        "item": items, "reason": "because", "confirmed": "1", "allow": items, "next": "/quarantine?q=x",
        "name": "x.example", "members": f"b@{OWN}", "number": str(marked.other), "password": "secret",
        "inbound.encrypted": "allow", "pattern": "evil.example", "party": "sender",
        "entry": f"{FOREIGN} # {MARK}",
        "stamp": policy_store.load("domain", marked.other).stamp, "page": "mail_in", "forget": "1",
        "domains": "", "role": "administrator",
    }  # fmt: skip
    acts = (
        "force",
        "delete",
        "retry",
        "save",
        "remove",
        "remove-domain",
        "remove-group",
        "ours",
        "up",
        "rights",
    )
    for rule, path in paths(pages, marked, "POST"):
        if path == "/login" or path.startswith(f"/policies/domain/{marked.own}/"):
            continue  # the user's own, of which other tests are
        for act in acts if not rule.arguments else acts[:5]:
            for more in ({}, {"all": "1"}, {"try": "1"}) if rule.endpoint != "api.act" else ({},):
                if rule.endpoint == "api.act":
                    wanted = [{"mail_in_id": ids.to_text(number)} for number in marked.foreign]
                    answer = client.post(
                        path,
                        json={"action": "delete", "reason": "x", "items": wanted},
                        headers={"Authorization": f"Bearer {TOKEN}"},
                    )
                else:
                    answer = client.post(path, data=fields | {"action": act, "act": act} | more)
                assert MARK not in said(answer), (path, act, more)
    assert state(marked) == before


def state(marked: Marked) -> object:
    """Of the other domain: what was asked for, and all policies but the user's own."""
    asked = Command.select().where(Command.message_id.in_(marked.foreign)).count()
    on_theirs = Command.select().where(
        Command.reason == "because", Command.address_id == marked.address(f"{MARK}@{FOREIGN}")
    )
    kept = [
        (row.scope, row.scope_id, row.fields)
        for row in Policy.select()
        if row.scope_id != marked.own or row.scope != "domain"
    ]
    scopes = [scope for scope in publish.load().scopes if scope.name != OWN]
    users = [(row.name, row.role, row.domains) for row in User.select()]
    return asked, on_theirs.count(), kept, scopes, users


def test_the_administrator_of_a_domain_changes_its_policy_and_no_other(pages: Pages, marked: Marked) -> None:
    limit("administrator")
    limit("operator")
    client = pages.as_user("administrator")
    path = f"/policies/domain/{marked.own}/filtering"
    form = hidden(client.get(path).text)
    tried = client.post(path, data=form | {"inbound.encrypted": "allow", "try": "1"}).text
    assert "3 messages had something found" in tried and "for two" in tried
    assert MARK not in tried
    assert client.post(path, data=form | {"inbound.encrypted": "reject"}).status_code == 302
    scopes = {scope.name: scope.fields for scope in publish.load().scopes if scope.kind == "domain"}
    assert scopes[OWN] == {"inbound.encrypted": "reject"}
    assert "administrator" in client.get(f"/policies/domain/{marked.own}/history").text
    operator = pages.as_user("operator")
    assert operator.get(path).status_code == 200
    assert operator.post(path, data=hidden(operator.get(path).text)).status_code == 403
    for other in (f"domain/{marked.other}", "default/0", "group/1"):
        assert client.get(f"/policies/{other}/filtering").status_code == 404
        assert client.get(f"/policies/{other}/inbound.txt").status_code == 404
    missing, theirs = (client.get(f"/policies/domain/{n}/history").text for n in (999, marked.other))
    assert missing == theirs, "what is another's looks like what does not exist"


def test_the_overview_counts_the_users_own_mail(pages: Pages, marked: Marked) -> None:
    limit("viewer")
    page = pages.as_user("viewer").get("/overview").text
    assert "<span>Recipients today</span><strong>3</strong>" in page
    assert "<span>Stalled now</span><strong>2</strong>" in page
    assert "<span>Deferred now</span><strong>1</strong>" in page
    assert "Nodes" not in page
