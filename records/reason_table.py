"""The reasons for which mail does not go through, as data: codes and phrases, and their meaning plainly.

Sources: RFC 5321 (reply codes), RFC 3463 and the registry of enhanced status codes that grew from it
(RFC 4954, 5248, 6710, 7372, 7504, 7505, 8616), and the phrases that Postfix and large providers really use.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class Side(StrEnum):
    """On whose side the cause lies, as people are told."""

    ADDRESS = "the recipient's address"
    RECIPIENT = "the recipient's mailbox"
    THEIR_SERVER = "the receiving server"
    THEIR_POLICY = "the receiving side's rules"
    NETWORK = "the network or DNS between the servers"
    OUR_SERVER = "our own server"
    MESSAGE = "the message itself"
    SENDER = "the sender's address or reputation"
    OPERATOR = "an administrator here"
    UNKNOWN = "not told"


class Entry(NamedTuple):
    """What happened and what to do about it, each one or two sentences."""

    side: Side
    what: str
    advice: str


_CHECK = "Check the address with the recipient by other means and send again."
_WAIT = "Nothing to do: delivery is tried again by itself."
_THEIR_ADMIN = "Ask the receiving side's administrator, and give them the reply below."

CODES: dict[str, Entry] = {
    "0.0": Entry(
        Side.UNKNOWN,
        "The code gives no closer reason.",
        "Read the reply itself; ask the administrator of the server that gave it.",
    ),
    # X.1: the addresses
    "1.0": Entry(Side.ADDRESS, "Something is wrong with the address.", _CHECK),
    "1.1": Entry(Side.ADDRESS, "There is no such mailbox on the receiving server.", _CHECK),
    "1.2": Entry(Side.ADDRESS, "The domain of the address does not exist or takes no mail.", _CHECK),
    "1.3": Entry(Side.ADDRESS, "The address is not written correctly.", _CHECK),
    "1.4": Entry(Side.ADDRESS, "The address means more than one mailbox there.", _CHECK),
    "1.5": Entry(Side.ADDRESS, "The address is valid, but is not accepted as a destination.", _CHECK),
    "1.6": Entry(Side.ADDRESS, "The mailbox has moved and left no new address.", _CHECK),
    "1.7": Entry(
        Side.SENDER, "The sender's address is not written correctly.", "Correct the sender's address."
    ),
    "1.8": Entry(
        Side.SENDER,
        "The sender's domain does not exist or cannot be answered.",
        "See that the sender's domain has an MX or address record.",
    ),
    "1.9": Entry(Side.THEIR_SERVER, "The message was passed to a mail system that is not SMTP.", _WAIT),
    "1.10": Entry(
        Side.ADDRESS, "The recipient's domain says that it takes no mail at all (null MX).", _CHECK
    ),
    # X.2: the mailbox
    "2.0": Entry(Side.RECIPIENT, "The mailbox could not take the message.", _THEIR_ADMIN),
    "2.1": Entry(
        Side.RECIPIENT,
        "The mailbox is switched off.",
        "Reach the recipient by other means; it may be closed.",
    ),
    "2.2": Entry(
        Side.RECIPIENT, "The mailbox is full.", "The recipient must make room; tell them by other means."
    ),
    "2.3": Entry(
        Side.MESSAGE, "The message is larger than this mailbox allows.", "Send it smaller, or share a link."
    ),
    "2.4": Entry(Side.RECIPIENT, "The mailing list there cannot be expanded.", _THEIR_ADMIN),
    # X.3: the mail system
    "3.0": Entry(Side.THEIR_SERVER, "The receiving mail system has a problem.", _THEIR_ADMIN),
    "3.1": Entry(Side.THEIR_SERVER, "The receiving server's disk is full.", _THEIR_ADMIN),
    "3.2": Entry(Side.THEIR_SERVER, "The receiving server takes no mail at the moment.", _WAIT),
    "3.3": Entry(Side.THEIR_SERVER, "The receiving server lacks a feature the message needs.", _THEIR_ADMIN),
    "3.4": Entry(
        Side.MESSAGE,
        "The message is larger than the receiving server allows.",
        "Send it smaller, or share a link.",
    ),
    "3.5": Entry(Side.THEIR_SERVER, "The receiving server is not set up correctly.", _THEIR_ADMIN),
    "3.6": Entry(Side.MESSAGE, "The priority asked for was changed.", "Nothing to do."),
    # X.4: network and routing
    "4.0": Entry(Side.NETWORK, "The receiving server could not be reached.", _WAIT),
    "4.1": Entry(Side.NETWORK, "The receiving server does not answer.", _WAIT),
    "4.2": Entry(Side.NETWORK, "The connection broke off in the middle.", _WAIT),
    "4.3": Entry(
        Side.NETWORK, "A directory or DNS server did not answer.", "See that DNS works on this server."
    ),
    "4.4": Entry(
        Side.NETWORK,
        "No way to the recipient's domain is known.",
        "Check the domain and the transport settings.",
    ),
    "4.5": Entry(Side.THEIR_SERVER, "The receiving server is overloaded.", _WAIT),
    "4.6": Entry(
        Side.OUR_SERVER, "The mail goes round in circles.", "Check MX records, relayhost and mydestination."
    ),
    "4.7": Entry(
        Side.NETWORK,
        "The message waited longer than its lifetime and was returned to its sender.",
        "See the earlier attempts for the cause; send it again when that is gone.",
    ),
    # X.5: the protocol
    "5.0": Entry(Side.THEIR_SERVER, "The two servers did not understand each other.", _THEIR_ADMIN),
    "5.1": Entry(Side.THEIR_SERVER, "The receiving server did not accept a command.", _THEIR_ADMIN),
    "5.2": Entry(Side.ADDRESS, "The receiving server could not read an address or command.", _CHECK),
    "5.3": Entry(
        Side.MESSAGE,
        "The message has more recipients than the server takes at once.",
        "Send to fewer at a time.",
    ),
    "5.4": Entry(
        Side.THEIR_SERVER, "The receiving server did not accept a command's argument.", _THEIR_ADMIN
    ),
    "5.5": Entry(Side.THEIR_SERVER, "The two servers speak different versions.", _THEIR_ADMIN),
    "5.6": Entry(Side.THEIR_SERVER, "The authentication exchange was too long.", _THEIR_ADMIN),
    # X.6: the content
    "6.0": Entry(Side.MESSAGE, "The receiving side cannot handle the message's content.", _THEIR_ADMIN),
    "6.1": Entry(
        Side.MESSAGE, "The receiving side does not take this kind of content.", "Send it in another form."
    ),
    "6.2": Entry(
        Side.MESSAGE, "The content would need a conversion that is forbidden.", "Send it in another form."
    ),
    "6.3": Entry(
        Side.MESSAGE, "The content would need a conversion that is not offered.", "Send it in another form."
    ),
    "6.4": Entry(
        Side.MESSAGE, "The content was converted with a loss.", "Send it in another form if that matters."
    ),
    "6.5": Entry(Side.MESSAGE, "The content could not be converted.", "Send it in another form."),
    "6.6": Entry(Side.THEIR_SERVER, "The content cannot be fetched there.", _THEIR_ADMIN),
    "6.7": Entry(
        Side.MESSAGE,
        "The receiving server does not take addresses with such characters.",
        "Use an ASCII address.",
    ),
    "6.8": Entry(Side.MESSAGE, "A reply would need characters that are not allowed there.", "Use ASCII."),
    "6.9": Entry(Side.MESSAGE, "The header could not be converted.", "Use ASCII in addresses."),
    # X.7: security and policy
    "7.0": Entry(
        Side.THEIR_POLICY, "The receiving side refused the message for security reasons.", _THEIR_ADMIN
    ),
    "7.1": Entry(
        Side.THEIR_POLICY,
        "The receiving side's policy does not allow this message.",
        "Ask the recipient's administrator which rule it was; it is not a fault of delivery.",
    ),
    "7.2": Entry(
        Side.THEIR_POLICY, "The sender may not write to that mailing list.", "Ask the list's owner."
    ),
    "7.3": Entry(
        Side.THEIR_POLICY, "A security conversion would be needed but is not possible.", _THEIR_ADMIN
    ),
    "7.4": Entry(Side.THEIR_SERVER, "A security feature is not supported there.", _THEIR_ADMIN),
    "7.5": Entry(Side.THEIR_SERVER, "A cryptographic check failed.", _THEIR_ADMIN),
    "7.6": Entry(Side.THEIR_SERVER, "A cryptographic algorithm is not supported there.", _THEIR_ADMIN),
    "7.7": Entry(Side.MESSAGE, "The message was changed on its way.", "Send it again."),
    "7.8": Entry(
        Side.OUR_SERVER, "Our login at the next server was refused.", "Check user and password of the relay."
    ),
    "7.9": Entry(
        Side.OUR_SERVER, "The next server asks for a stronger login.", "Check the relay's SASL settings."
    ),
    "7.10": Entry(Side.OUR_SERVER, "The next server wants encryption first.", "Turn on TLS towards it."),
    "7.11": Entry(Side.OUR_SERVER, "The login needs an encrypted connection.", "Turn on TLS towards it."),
    "7.12": Entry(
        Side.OUR_SERVER, "The password must be changed at the next server.", "Change it there, then here."
    ),
    "7.13": Entry(Side.OUR_SERVER, "Our account at the next server is switched off.", "Ask its provider."),
    "7.14": Entry(Side.OUR_SERVER, "The next server does not trust us for this.", "Ask its provider."),
    "7.15": Entry(Side.MESSAGE, "The priority is too low to be taken now.", _WAIT),
    "7.16": Entry(Side.MESSAGE, "The message is too large for its priority.", "Send it smaller."),
    "7.17": Entry(Side.ADDRESS, "The mailbox has another owner now than the message expects.", _CHECK),
    "7.18": Entry(Side.ADDRESS, "The domain has another owner now than the message expects.", _CHECK),
    "7.19": Entry(
        Side.THEIR_SERVER, "The receiving server cannot tell whether the owner is the same.", _THEIR_ADMIN
    ),
    "7.20": Entry(
        Side.SENDER, "The message carries no valid DKIM signature.", "Sign outgoing mail with DKIM."
    ),
    "7.21": Entry(
        Side.SENDER, "No acceptable DKIM signature was found.", "Check the DKIM set-up of the domain."
    ),
    "7.22": Entry(
        Side.SENDER, "The DKIM signature is not by the author's domain.", "Sign with the author's domain."
    ),
    "7.23": Entry(
        Side.SENDER, "SPF says that our server may not send for this domain.", "Add it to the SPF record."
    ),
    "7.24": Entry(
        Side.SENDER, "The SPF record could not be evaluated.", "Check the SPF record of the domain."
    ),
    "7.25": Entry(
        Side.SENDER, "Our server's address has no matching name in DNS.", "Set forward and reverse DNS."
    ),
    "7.26": Entry(
        Side.SENDER, "Several authentication checks failed.", "Check SPF, DKIM and DMARC of the domain."
    ),
    "7.27": Entry(
        Side.SENDER, "The sender's domain takes no mail (null MX).", "Use a sender that can be answered."
    ),
    "7.28": Entry(
        Side.SENDER, "The receiving side sees too much mail from us.", "See whether an account is abused."
    ),
    "7.29": Entry(Side.SENDER, "The chain of forwarding signatures (ARC) is not valid.", _THEIR_ADMIN),
    "7.30": Entry(
        Side.THEIR_SERVER, "The message asked for TLS that is not offered (REQUIRETLS).", _THEIR_ADMIN
    ),
}
"""By subject and detail of the enhanced status code (RFC 3463), without the class."""

REPLIES: dict[int, Entry] = {
    421: Entry(
        Side.THEIR_SERVER, "The receiving server closed the connection: it is busy or stopping.", _WAIT
    ),
    432: Entry(
        Side.OUR_SERVER, "The password must be changed at the next server.", "Change it there, then here."
    ),
    450: Entry(Side.RECIPIENT, "The mailbox cannot be reached at the moment.", _WAIT),
    451: Entry(Side.THEIR_SERVER, "The receiving server had an error or asks to come again later.", _WAIT),
    452: Entry(Side.THEIR_SERVER, "The receiving server has too little room at the moment.", _WAIT),
    454: Entry(Side.THEIR_SERVER, "Login or encryption does not work there at the moment.", _WAIT),
    455: Entry(Side.THEIR_SERVER, "The receiving server cannot take these parameters now.", _WAIT),
    500: CODES["5.2"],
    501: CODES["5.4"],
    502: CODES["5.1"],
    503: CODES["5.1"],
    504: CODES["5.4"],
    521: Entry(Side.ADDRESS, "That server takes no mail at all.", _CHECK),
    523: CODES["3.4"],
    530: CODES["7.10"],
    534: CODES["7.9"],
    535: CODES["7.8"],
    538: CODES["7.11"],
    541: CODES["7.1"],
    550: Entry(
        Side.ADDRESS,
        "The mailbox is unavailable: it does not exist, or may not be written to by this sender.",
        "Check the address first; if it is right, ask the receiving side's administrator.",
    ),
    551: Entry(Side.ADDRESS, "The mailbox is elsewhere; the reply may say where.", _CHECK),
    552: Entry(
        Side.RECIPIENT,
        "The message is too large there, or the mailbox is full.",
        "Send it smaller or share a link; otherwise the recipient must make room.",
    ),
    553: Entry(
        Side.ADDRESS,
        "The mailbox name is not allowed: the address is written in a way that the server does not take.",
        "Look for a typing error in the recipient's address; some servers check the sender's as well.",
    ),
    554: Entry(
        Side.THEIR_POLICY,
        "The receiving server refused the transaction without a closer reason in its code.",
        "The reply's own words tell more; ask the receiving side's administrator.",
    ),
    555: Entry(
        Side.THEIR_SERVER, "The receiving server does not know a parameter of MAIL or RCPT.", _THEIR_ADMIN
    ),
    556: CODES["1.10"],
}
"""By SMTP reply code (RFC 5321, 4954, 7504), where there is no enhanced code."""

_ACCOUNT = Entry(Side.ADDRESS, "The receiving provider has no account of that name.", _CHECK)
_REFUSED = Entry(
    Side.NETWORK,
    "The receiving server refused the connection.",
    "Tried again by itself. If it lasts: is the server up, and does a firewall block port 25 on the way?",
)
_TIMEOUT = Entry(
    Side.NETWORK,
    "The receiving server did not answer in time.",
    "Tried again by itself. If it lasts: is the server up, and does a firewall block port 25 on the way?",
)
_NO_ROUTE = Entry(
    Side.NETWORK, "There is no network route to the receiving server.", "Check this server's own network."
)
_BLOCKED = Entry(
    Side.SENDER,
    "The receiving side blocks our server's address for its reputation.",
    "See which list the reply names, find what was sent from here, and ask that list for removal.",
)

_HERE = Entry(
    Side.OPERATOR,
    "The message was returned to its sender from here, by an administrator or because its time was up.",
    "Nothing to do; the sender has been told.",
)
_NO_DNS = Entry(
    Side.NETWORK,
    "DNS did not answer for the recipient's domain.",
    "Tried again by itself. If it lasts, see that this server's resolver works.",
)
_MYSELF = Entry(
    Side.OUR_SERVER,
    "This server is the domain's MX, but is not set up to take its mail.",
    "Add it to mydestination, relay_domains or virtual_mailbox_domains, or correct its MX record.",
)
_SUSPENDED = Entry(
    Side.NETWORK,
    "Earlier attempts to reach that server failed, so Postfix waits before it tries again.",
    _WAIT,
)
_DISK = Entry(Side.OUR_SERVER, "A mail queue could not be written.", "Look for a full disk.")
_TLS = Entry(
    Side.THEIR_SERVER,
    "No encrypted connection of the required kind could be made.",
    "Compare the TLS policy with what the server offers; its certificate may have expired.",
)
_TRANSPORT = Entry(
    Side.OUR_SERVER,
    "Postfix's own delivery service for this destination does not work.",
    "Look for errors of that service in the log and in master.cf.",
)
_GREY = Entry(Side.THEIR_POLICY, "The receiving server makes unknown senders try twice (greylisting).", _WAIT)
_RULE = Entry(
    Side.THEIR_POLICY,
    "A rule of the receiving provider refuses mail to this mailbox.",
    "Check the address; if it is right, the recipient or their provider must change the rule.",
)
_RATE = Entry(Side.THEIR_POLICY, "The receiving server limits how much it takes from us at once.", _WAIT)
_RELAY = Entry(
    Side.THEIR_SERVER,
    "That server does not take mail for the recipient's domain.",
    "Check the domain's MX record, and relayhost or transport here.",
)
_SPAM = Entry(
    Side.THEIR_POLICY,
    "The receiving side takes the content for spam or malicious.",
    "See what was sent; if it is harmless, ask the recipient's administrator to let it through.",
)
_SENDER = Entry(
    Side.SENDER,
    "The receiving server does not accept the sender's address.",
    "See that the sender's domain exists and that its mailbox can be answered.",
)

_WORDS: tuple[tuple[Entry, tuple[str, ...]], ...] = (
    # What this Postfix says itself
    (_HERE, (r"administratively expired",)),
    (_REFUSED, (r"connection refused",)),
    (_NO_ROUTE, (r"network is unreachable", r"no route to host")),
    (_TIMEOUT, (r"connection timed out", r"timed out while", r"operation timed out")),
    (CODES["4.2"], (r"lost connection with",)),
    (_NO_DNS, (r"name service error", r"host not found, try again", r"temporary lookup")),
    (
        CODES["1.2"],
        (
            r"host or domain name not found",
            r"domain not found",
            r"no such domain",
            r"does not accept mail \(nullmx",
        ),
    ),
    (_MYSELF, (r"loops back to myself",)),
    (CODES["4.6"], (r"mail forwarding loop", r"too many hops", r"hop count exceeded")),
    (_SUSPENDED, (r"delivery temporarily suspended",)),
    (_DISK, (r"queue file write error", r"insufficient system storage")),
    (
        _TLS,
        (
            r"cannot start tls",
            r"tls is required",
            r"must issue a starttls",
            r"tls not available",
            r"certificate (verif|not trusted|has expired)",
        ),
    ),
    (_TRANSPORT, (r"unknown mail transport error", r"mail transport unavailable")),
    # What receiving servers say
    (_GREY, (r"gr[ea]y-?list",)),
    (_RULE, (r"rule imposed",)),
    (
        _ACCOUNT,
        (
            r"(doesn'?t|does not) have an? (\S+ )?account",
            r"no (such )?account",
            r"account (is )?(disabled|closed|inactive|suspended|does not exist)",
            r"no mailbox (here )?by that name",
        ),
    ),
    (
        _BLOCKED,
        (
            r"spamhaus",
            r"spamcop",
            r"barracuda",
            r"bl(ock|ack) ?list",
            r"\bdnsbl\b",
            r"\brbl\b",
            r"poor reputation",
        ),
    ),
    (
        CODES["2.2"],
        (
            r"over ?quota",
            r"quota exceeded",
            r"exceed\w* (its )?(storage|quota)",
            r"mailbox (is )?full",
            r"out of storage",
        ),
    ),
    (CODES["3.4"], (r"(message|size|mail) .{0,40}(exceeds|too (large|big))", r"too large", r"size limit")),
    (_RATE, (r"too many (messages|connections|recipients|sessions)", r"rate limit", r"throttl")),
    (
        CODES["1.1"],
        (
            r"user unknown",
            r"unknown user",
            r"no such (user|mailbox|recipient|person)",
            r"recipient (address )?rejected: (user|undeliverable)",
            r"user (does not|doesn'?t) exist",
            r"unknown (recipient|mailbox|address)",
            r"unrouteable address",
            r"(mailbox|recipient|address|user) (was )?not found",
            r"invalid (recipient|mailbox|user)",
            r"recipient not (found|recognized)",
        ),
    ),
    (
        _RELAY,
        (
            r"relay(ing)? (access )?denied",
            r"not permitted to relay",
            r"relaying not allowed",
            r"unable to relay",
        ),
    ),
    (CODES["7.23"], (r"\bspf\b",)),
    (CODES["7.26"], (r"\bdmarc\b", r"\bdkim\b", r"unauthenticated (mail|e-?mail)")),
    (CODES["7.25"], (r"reverse dns", r"\bptr\b", r"cannot find your (hostname|reverse)")),
    (_SPAM, (r"spam", r"virus", r"malware", r"content rejected", r"phish")),
    (_SENDER, (r"sender (address )?rejected", r"sender denied", r"sender verif")),
    (
        CODES["7.1"],
        (
            r"(denied|rejected|refused|blocked|prohibited|not allowed) .{0,40}polic",
            r"polic.{0,60}(denied|reject|refus|violat|block|prohibit)",
            r"administrative(ly)? prohibit",
            r"access denied",
        ),
    ),
)

PHRASES = tuple((re.compile("|".join(words), re.IGNORECASE), entry) for entry, words in _WORDS)
"""What the words of a reply mean, the first that fits: servers misuse codes more often than words."""

STAGES = {
    "connect": "when the connection was made",
    "HELO": "at the greeting",
    "EHLO": "at the greeting",
    "STARTTLS": "while encryption was set up",
    "AUTH": "at the login",
    "MAIL FROM": "when the sender was named",
    "RCPT TO": "when the recipient was named",
    "DATA": "before the content was sent",
    "end of DATA": "after the whole message was sent",
}
"""Postfix's words for the point of the conversation, as people are told."""
