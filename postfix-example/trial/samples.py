"""The sample messages of the trial, and what must become of each.

A sample is sent by SMTP or by the sendmail command; some are then acted upon as an administrator would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import make_msgid

from trial import files
from trial.clamav import EICAR

ALLOWED = "partner@example.org"  # on the allow list for encrypted mail
OUTSIDE, OUR_USER = "sender@example.com", "user@example.org"


@dataclass(frozen=True)
class Sample:
    """One message; expected gives the status of each recipient in the end.

    act is the command to give once every recipient is stalled; reply what the sender must be told at once.
    """

    subject: str
    expected: Mapping[str, str]
    attach: Callable[[], bytes] | None = None
    file: str = ""
    sender: str = OUTSIDE
    act: str = ""
    reply: str = "250"
    by_sendmail: bool = False

    @property
    def before_act(self) -> Mapping[str, str]:
        """What must hold before it is acted upon."""
        return dict.fromkeys(self.expected, "stalled") if self.act else self.expected

    def message(self) -> bytes:
        """The message as it is sent, with a Message-ID of its own."""
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.expected)
        message["Subject"] = self.subject
        message["Message-ID"] = make_msgid(domain="trial.example.com")
        message.set_content("A sample message of the Mailweir trial.\n")
        if self.attach:
            message.add_attachment(self.attach(), "application", "octet-stream", filename=self.file)
        return message.as_bytes()


SAMPLES = (
    Sample("Clean, inbound", {OUR_USER: "delivered"}),
    Sample("Clean, outbound", {"customer@example.com": "delivered"}, sender=OUR_USER),
    Sample(
        "Three recipients, three fates",
        {OUR_USER: "delivered", "unknown@example.org": "failed", "busy@example.org": "deferred"},
    ),
    Sample("Zip with a password", {OUR_USER: "stalled"}, files.encrypted_zip, "figures.zip"),
    Sample("Workbook with a macro", {OUR_USER: "stalled"}, files.macro_xlsm, "figures.xlsm"),
    Sample("Document with tracked changes", {OUR_USER: "stalled"}, files.tracked_docx, "contract.docx"),
    Sample("Encrypted PDF", {OUR_USER: "stalled"}, files.encrypted_pdf, "invoice.pdf"),
    Sample(
        "The same zip to an address on the allow list",
        {ALLOWED: "delivered"},
        files.encrypted_zip,
        "figures.zip",
    ),
    Sample("A virus (EICAR)", {OUR_USER: "rejected"}, lambda: EICAR, "eicar.com", reply="550"),
    Sample("Stalled, then forced", {OUR_USER: "delivered"}, files.encrypted_zip, "figures.zip", act="force"),
    Sample("Stalled, then deleted", {OUR_USER: "deleted"}, files.encrypted_zip, "figures.zip", act="delete"),
    Sample(
        "Submitted with sendmail on this machine",
        {OUR_USER: "delivered"},
        sender="root@example.org",
        by_sendmail=True,
    ),
)
