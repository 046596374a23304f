"""The one policy the trial sets: encrypted mail to one partner may pass, everything else as by default."""

from __future__ import annotations

import json
import time
from pathlib import Path

from mailweir import config
from mailweir.records import db
from mailweir.records.models import AllowEntry, Policy
from mailweir.records.words import Direction


def allow_encrypted_mail_to(address: str, settings: Path) -> None:
    """Put the address on the default allow list and switch that list on."""
    database = db.connect(config.load(settings))
    with database.atomic():
        Policy.delete().where(Policy.scope == "default").execute()
        policy = Policy.create(
            scope="default",
            fields=json.dumps({"inbound.encrypted": "allow-list"}),
            changed=time.time(),
            changed_by="the trial",
        )
        AllowEntry.create(
            policy_id=policy.id,
            direction=Direction.INBOUND,
            pattern=address,
            note="sends us figures every quarter",
            author="the trial",
            created=time.time(),
        )
    database.close()
