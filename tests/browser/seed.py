"""A small world for the pages to show: a few dozen messages in every state, with sessions and findings.

Rows go in through the models, so the pages' tests need no mail server; one stalled message for two
recipients, failed ones with well-known replies, and a hostile one whose every field tries to break out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from mailweir.records import ids, models
from mailweir.records.words import Direction, LegKind, Outcome, Queue, Source, Status

HOSTILE = "<script>fetch('/stolen')</script>\"'><img src=x onerror=fetch('/stolen')>\u202egpj.exe\x1b[31m"
TRANSCRIPT = [
    "< 220 mx.partner.example ESMTP ready",
    "> EHLO mail.example.com",
    "< 250-mx.partner.example",
    "< 250-SIZE 52428800",
    "< 250 STARTTLS",
    "> MAIL FROM:<{sender}> SIZE=4821",
    "< 250 2.1.0 Ok",
    "> RCPT TO:<{recipient}>",
    "< {reply}",
]
PROOFS = {"dmarc": "header.from", "spf": "smtp.mailfrom", "dkim": "header.d"}  # of milter/authres.py
TRACE = {
    "scope": "default",
    "scope_name": "",
    "field": "inbound.unscannable",
    "value": "stall",
    "entry": None,
    "findings": ["encrypted-zip"],
    "cause": {
        "scope": "default",
        "field": "inbound.encrypted",
        "value": "unscannable",
        "findings": ["encrypted-zip"],
    },
}


@dataclass
class World:
    """What was sown: the IDs that tests ask for."""

    now: float
    stalled: int = 0
    failed: int = 0
    delivered: int = 0
    hostile: int = 0
    outbound: int = 0
    sessions: list[int] = field(default_factory=list)


class Sower:
    """Makes one message after another, each older than the one before."""

    def __init__(self, now: float) -> None:
        self.world = World(now)
        self.time = now
        self.source = ids.IdSource(0, 0)
        self.count = 0

    def address(self, text: str) -> int:
        """The number of an address, made when it is new."""
        domain = text.rpartition("@")[2]
        row, _ = models.Address.get_or_create(
            address=text, defaults={"folded": text.lower(), "domain_reversed": domain[::-1].lower()}
        )
        return int(row.id)

    def identifier(self, seconds: float, slot: int = 0) -> int:
        """An ID for that time; made from a source of its own, because the sower goes back in time."""
        self.count += 1
        return ids.first_id(int(seconds * 1000)) | slot << 6 | self.count & 63

    def message(
        self,
        sender: str,
        recipients: list[tuple[str, Status, str, str]],
        subject: str,
        *,
        direction: Direction = Direction.INBOUND,
        age: float = 60.0,
        size: int = 4821,
        findings: tuple[tuple[str, str, str], ...] = (),
        recorded: bool = True,
        tries: int = 1,
        client: str = "mx1.sender.example",
    ) -> int:
        """One message; each recipient is (address, status, enhanced code, reply)."""
        self.time -= age
        made = self.identifier(self.time)
        stalled = any(status is Status.STALLED for _, status, _, _ in recipients)
        models.Message.create(
            id=made,
            node_id=0,
            source=Source.MILTER,
            sender_id=self.address(sender),
            size=size,
            subject=subject,
            message_id=f"<{made}@sender.example>",
            client_ip="203.0.113.25",
            client_name=client,
            helo=client,
            tls="TLSv1.3",
            verdict="stall" if stalled else "accept",
            authres=json.dumps(
                {
                    "results": [
                        {"method": method, "result": "pass", name: sender.rpartition("@")[2]}
                        for method, name in PROOFS.items()
                    ]
                }
            ),
        )
        leg = self.identifier(self.time, 63)
        waiting = [status for _, status, _, _ in recipients if status in (Status.DEFERRED, Status.QUEUED)]
        queue = Queue.HOLD if stalled else Queue.DEFERRED if waiting else Queue.GONE
        models.Leg.create(
            id=leg,
            node_id=0,
            queue_id=f"4Zq{self.count:04d}Bx0zKk",
            arrival=int(self.time * 1e6),
            message_id=made,
            kind=LegKind.FIRST,
            queue=queue,
            size=size,
            held=self.time if stalled else None,
            removed=self.time + 3 if queue is Queue.GONE else None,
        )
        for kind, part, name in findings:
            models.Finding.create(message_id=made, kind=kind, part=part, name=name)
            models.Attachment.create(
                message_id=made,
                part=part.split("/")[0],
                name=name,
                type="application/zip",
                size=3980,
                sha256=hashlib.sha256(name.encode()).hexdigest(),
            )
        for address, status, dsn, reply in recipients:
            self.recipient(made, leg, sender, address, status, direction, dsn, reply, recorded, tries)
        return made

    def recipient(
        self,
        made: int,
        leg: int,
        sender: str,
        address: str,
        status: Status,
        direction: Direction,
        dsn: str,
        reply: str,
        recorded: bool,
        tries: int,
    ) -> None:
        """One recipient with its attempts and their sessions."""
        attempts = {
            Status.DELIVERED: [Outcome.DEFERRED] * (tries - 1) + [Outcome.SENT],
            Status.FAILED: [Outcome.BOUNCED],
            Status.DEFERRED: [Outcome.DEFERRED] * tries,
            Status.RETURNED: [Outcome.EXPIRED],
        }.get(status, [])
        to = self.address(address)
        models.Recipient.create(
            message_id=made,
            address_id=to,
            direction=direction,
            status=status,
            verdict="stall" if status is Status.STALLED else "accept",
            trace=json.dumps(TRACE) if status is Status.STALLED else "{}",
            leg_id=leg,
            attempts=len(attempts),
            dsn=dsn,
            reply=reply,
            changed=self.time + 3,
        )
        domain = address.rpartition("@")[2]
        for number, outcome in enumerate(attempts):
            when = self.time + 2 + number * 300
            session = self.identifier(when, 62)
            said = reply if outcome is not Outcome.SENT else "250 2.1.5 Ok"
            lines = [line.format(sender=sender, recipient=address, reply=said) for line in TRANSCRIPT]
            if outcome is Outcome.SENT:
                lines += [
                    "> DATA",
                    "< 354 End data with <CR><LF>.<CR><LF>",
                    "< 250 2.0.0 Ok: queued as 4Zr0aBC",
                ]
            reason = "250 2.0.0 Ok: queued as 4Zr0aBC" if outcome is Outcome.SENT else reply
            if outcome is not Outcome.SENT and not recorded:
                reason = f"host mx.{domain}[198.51.100.7] said: {reply} (in reply to RCPT TO command)"
            if recorded:
                models.Session.create(
                    id=session,
                    node_id=0,
                    source=Source.LOG,
                    outcome=outcome,
                    lines="\n".join([*lines, "> QUIT"]),
                )
                self.world.sessions.append(session)
            models.Delivery.create(
                id=self.identifier(when + 0.4, 61),
                message_id=made,
                leg_id=leg,
                address_id=to,
                status=outcome,
                dsn="2.0.0" if outcome is Outcome.SENT else dsn,
                service="smtp",
                relay_host=f"mx.{domain}",
                relay_ip="198.51.100.7",
                relay_port=25,
                delay=2.4 + number * 300,
                tls="Trusted TLSv1.3 TLS_AES_256_GCM_SHA384 256",
                delays="0.1/0/1.2/1.1",
                reply=reason,
                session_id=session,
            )

    def reject(
        self,
        sender: str | None,
        recipient: str | None,
        reply: str,
        *,
        stage: str = "RCPT",
        client: str = "host.bulk.example",
        helo: str = "mail.bulk.example",
    ) -> None:
        """An attempt that Postfix refused before there was a message."""
        models.Reject.insert(
            id=self.identifier(self.world.now - 60, slot=1),
            node_id=0,
            service="smtpd",
            stage=stage,
            client_ip="203.0.113.77",
            client_name=client,
            helo=helo,
            sender_id=None if sender is None else self.address(sender),
            recipient_id=None if recipient is None else self.address(recipient),
            code=int(reply[:3]),
            dsn=reply.split()[1],
            reply=reply,
        ).execute()


def sow(now: float, *, extra: int = 0) -> World:
    """Fill the bound database; `extra` more plain delivered messages make several pages."""
    models.Node.get_or_create(id=0, defaults={"name": "mx1", "seen": now})
    sower = Sower(now)
    world = sower.world
    zip_finding = (("encrypted-zip", "2/report.zip", "report.zip"),)
    ok = "250 2.0.0 Ok: queued as 4Zr0aBC"
    world.delivered = sower.message(
        "alice@partner.example",
        [("bob@example.com", Status.DELIVERED, "2.0.0", ok)],
        "Minutes of Tuesday",
        tries=3,
    )
    world.stalled = sower.message(
        "carol@partner.example",
        [("bob@example.com", Status.STALLED, "", ""), ("dora@example.com", Status.STALLED, "", "")],
        "Quarterly report (the password follows by phone)",
        findings=zip_finding,
        size=482_113,
    )
    world.failed = sower.message(
        "bob@example.com",
        [
            (
                "nobody@customer.example",
                Status.FAILED,
                "5.1.1",
                "550 5.1.1 <nobody@customer.example>: Recipient address rejected: User unknown in relay",
            )
        ],
        "Offer 2026-117",
        direction=Direction.OUTBOUND,
    )
    world.outbound = sower.message(
        "dora@example.com",
        [
            ("eve@customer.example", Status.DELIVERED, "2.0.0", ok),
            ("frank@busy.example", Status.DEFERRED, "4.7.1", "451 4.7.1 Greylisted, try again later"),
            ("grace@full.example", Status.FAILED, "5.2.2", "552 5.2.2 Mailbox full"),
        ],
        "Price list for the new year",
        direction=Direction.OUTBOUND,
        recorded=False,
        tries=2,
    )
    world.hostile = sower.message(
        'a"<b>@evil.example',
        [("<i>x</i>@example.com", Status.FAILED, "5.7.1", f"550 5.7.1 {HOSTILE}")],
        HOSTILE,
        findings=(("macro", "2/" + HOSTILE, HOSTILE),),
        client=HOSTILE,
    )
    sower.message(
        "", [("bob@example.com", Status.DELIVERED, "2.0.0", ok)], "Undelivered Mail Returned to Sender"
    )
    sower.message(
        "news@shop.example",
        [(f"user{number}@example.com", Status.DELIVERED, "2.0.0", ok) for number in range(9)],
        "This week only",
        size=91_000,
    )
    sower.message(
        "x@spam.example",
        [("bob@example.com", Status.REJECTED, "5.7.1", "550 5.7.1 Virus found: Eicar-Signature")],
        "Invoice",
        findings=(("virus", "2/invoice.exe", "invoice.exe"),),
    )
    sower.message(
        "dora@example.com",
        [("bob@example.com", Status.QUEUED, "", "")],
        "Lunch?",
        direction=Direction.INTERNAL,
    )
    sower.message(
        "ivan@partner.example",
        [("dora@example.com", Status.STALLED, "", "")],
        "Macros for the budget",
        findings=(("macro", "2/budget.xlsm", "budget.xlsm"),),
        age=86_400 * 2,
    )
    sower.reject("scan@bulk.example", "guess@example.com", "550 5.1.1 <guess@example.com>: User unknown")
    sower.reject(None, None, "554 5.7.1 Service unavailable; blocked using bl.example", stage="CONNECT")
    sower.reject("", "other@elsewhere.example", f"554 5.7.1 {HOSTILE}", client=HOSTILE, helo=HOSTILE)
    for number in range(extra):
        sower.message(
            f"sender{number % 17}@partner.example",
            [(f"user{number % 23}@example.com", Status.DELIVERED, "2.0.0", ok)],
            f"Message number {number}",
        )
    return world
