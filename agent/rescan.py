"""Retry's own half: what a new scan of held mail (scans.py) comes to by today's policies.

Postfix cannot do this (a requeued message skips every filter), so the agent reads the queue file and asks the
same scanner and the same policies as the filter does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from peewee import Database

from mailweir.agent.aim import Addressee, Job, Stays
from mailweir.agent.divide import choose
from mailweir.content.findings import Class, Finding, Scan
from mailweir.milter import authres
from mailweir.policies.scopes import PolicySet
from mailweir.policies.verdict import Action, Verdict, decide
from mailweir.records import models
from mailweir.records.models import Message, Recipient
from mailweir.records.text import storable


class Retry:
    """Decides about held mail that was scanned again."""

    def __init__(
        self, database: Database, policies: Callable[[], PolicySet], clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._policies = policies
        self._clock = clock

    def weigh(self, job: Job, scan: Scan, addressees: Sequence[Addressee]) -> list[str] | None:
        """Record what was found; for whom it passes now, None for all of the file.

        Raises Stays when it passes for nobody.
        """
        message = Message.get_by_id(job.command.message_id)
        verdicts = judge(
            scan,
            sender=job.command.sender,
            addressees=addressees,
            authenticated_domains=proven_domains(message),
            policies=self._policies(),
            now=self._clock(),
        )
        if job.command.action == "unlock" and any(one.cls is Class.ENCRYPTED for one in scan.findings):
            raise Stays("the password does not open all that is encrypted")
        record(self._database, job.command.message_id, scan, verdicts)
        if scan.unavailable:
            raise Stays(f"not released: {scan.unavailable}")
        if not verdicts:
            raise Stays("not released: the records do not know for whom it is yet")
        stays = [one for one, verdict in verdicts.items() if verdict.action is not Action.ACCEPT]
        passes = [one.address for one in verdicts if one not in stays]
        if stays:
            why = verdicts[stays[0]].reason
            if not passes:
                raise Stays(f"scanned again, still stalled: {why}")
            job.remark = f"scanned again, passes now for {', '.join(passes)}, but for others: {why}; "
        else:
            job.remark = "scanned again, passes now; "
        return passes if choose(job.seen, passes)[1] else None


def judge(
    scan: Scan,
    *,
    sender: str,
    addressees: Sequence[Addressee],
    authenticated_domains: frozenset[str],
    policies: PolicySet,
    now: float,
) -> dict[Addressee, Verdict]:
    """Today's verdict for each of them; without a virus scanner nothing passes."""
    return {
        one: decide(
            policies,
            direction=one.direction,
            sender=sender,
            recipient=one.address,
            findings=scan.findings,
            authenticated_domains=authenticated_domains,
            unavailable=scan.unavailable,
            on_unavailable=Action.DEFER,
            now=now,
        )
        for one in addressees
    }


def proven_domains(message: Message) -> frozenset[str]:
    """The domains that the message's trusted Authentication-Results proved when it came in."""
    try:
        return authres.domains_of(authres.stored(json.loads(message.authres or "{}")))
    except ValueError:
        return frozenset()


def record(database: Database, message_id: int, scan: Scan, verdicts: dict[Addressee, Verdict]) -> None:
    """Put the new findings and verdicts in place of the old ones, unless the scan was not complete."""
    with database.atomic():
        if not scan.unavailable:
            _replace_findings(message_id, scan.findings)
        for one, verdict in verdicts.items():
            Recipient.update(verdict=_word(verdict), trace=json.dumps(verdict.trace.as_dict())).where(
                Recipient.message_id == message_id, Recipient.address_id == one.address_id
            ).execute()


def _word(verdict: Verdict) -> str:
    """What is not accepted stays on hold, whatever the policies would have said at its arrival."""
    return Action.ACCEPT.value if verdict.action is Action.ACCEPT else Action.STALL.value


def _replace_findings(message_id: int, findings: Sequence[Finding]) -> None:
    models.Finding.delete().where(models.Finding.message_id == message_id).execute()
    rows = [
        {
            "message_id": message_id,
            "kind": finding.kind,
            "part": storable(finding.part),
            "name": storable(finding.name),
            "detail": storable(finding.detail),
        }
        for finding in findings
    ]
    if rows:
        models.Finding.insert_many(rows).execute()
