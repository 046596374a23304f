"""Which way a message goes for one recipient.

Postfix tells the filter its delivery class for each recipient in the macro {rcpt_mailer}; the domain table
overrides it, for instances that hand their own domains to another server by plain smtp.
"""

from __future__ import annotations

from mailweir.policies import addresses
from mailweir.policies.scopes import PolicySet
from mailweir.records.words import Direction

OURS = frozenset({"local", "virtual", "relay", "lmtp"})  # master.cf's names, by Postfix's address classes
INTERNET = frozenset({"smtp"})


def direction_of(
    *,
    rcpt_mailer: str,
    recipient: str,
    sender: str,
    authenticated: bool,
    local_submission: bool,
    policies: PolicySet,
) -> Direction:
    """Inbound, outbound or internal.

    A transport of another name says nothing; then a trusted sender's recipient counts as the Internet's and a
    stranger's as ours, for Postfix relays elsewhere only for those it trusts. A sender is believed to be
    one of us only when he has logged in or submitted on the machine itself.
    """
    trusted = authenticated or local_submission
    ours = policies.is_ours(addresses.domain_of(recipient))
    if ours is None:
        if rcpt_mailer in OURS:
            ours = True
        elif rcpt_mailer in INTERNET:
            ours = False
        else:
            ours = not trusted
    if not ours:
        return Direction.OUTBOUND
    if trusted and policies.is_ours(addresses.domain_of(sender)) is not False:
        return Direction.INTERNAL
    return Direction.INBOUND
