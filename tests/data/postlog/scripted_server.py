"""An SMTP server whose answers follow from the recipient's local part, on threads of its own."""

from __future__ import annotations

import socketserver
import ssl
import threading
from pathlib import Path

FORGED = "to=<x@y>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent"
ANSWERS = {
    "unknown": "550 5.1.1 <{}>: no such user",
    "busy": "451 4.3.2 <{}>: the mailbox is busy, try again later",
    "lines": "550-5.7.1 This reply has\r\n550-5.7.1 several lines, one with >, relay=evil[192.0.2.66]:25,\r\n"
    "550 5.7.1 status=sent (250 2.0.0 Ok: queued as FORGED)",
    "hostile": f"550 5.1.1 {FORGED} (\x1b[31m\x07 <script>",
    "long": "550 5.1.1 " + "x" * 900,
}


class _Talk(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """One conversation."""
        self.say("220 receiver.example ESMTP")
        recipients: list[str] = []
        sender = ""
        while line := self.rfile.readline():
            text = line.decode("latin-1").rstrip("\r\n")
            word = text[:4].upper()
            if word in ("EHLO", "LHLO"):
                offered = self.server.tls is not None and not isinstance(self.connection, ssl.SSLSocket)
                for option in (
                    "250-receiver.example",
                    "250-PIPELINING",
                    "250-ENHANCEDSTATUSCODES",
                    *(("250-STARTTLS",) if offered else ()),
                    "250 SMTPUTF8",
                ):
                    self.say(option)
            elif word == "STAR" and self.server.tls is not None:
                self.say("220 2.0.0 go ahead")
                self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
            elif word == "MAIL":
                sender, recipients = text, []
                if "refused-sender" in sender:
                    self.say("550 5.1.8 we know this sender")
                else:
                    self.say("250 2.1.0 Ok")
            elif word == "RCPT":
                address = text.partition("<")[2].partition(">")[0]
                local = address.partition("@")[0]
                if local == "hangup":
                    return
                answer = ANSWERS.get(local)
                if answer is None:
                    recipients.append(address)
                self.say(answer.format(address) if answer else "250 2.1.5 Ok")
            elif word == "DATA":
                if not recipients:
                    self.say("554 5.5.1 no recipients")
                    continue
                self.say("354 go on")
                self.data(recipients)
            elif word == "QUIT":
                self.say("221 2.0.0 Bye")
                return
            else:
                self.say("250 2.0.0 Ok")

    def data(self, recipients: list[str]) -> None:
        """Read the message; LMTP's many answers are given for several recipients when asked by LHLO."""
        while self.rfile.readline() not in (b".\r\n", b""):
            pass
        locals_ = {address.partition("@")[0] for address in recipients}
        if "refused-data" in locals_:
            self.say("554 5.7.1 the content is refused")
        elif "later-data" in locals_:
            self.say("452 4.3.1 out of space")
        elif "drop-data" in locals_:
            self.connection.close()
        else:
            self.say("250 2.0.0 Ok: taken as 12345")

    def say(self, text: str) -> None:
        """One line, or several."""
        self.wfile.write(text.encode("latin-1") + b"\r\n")
        self.wfile.flush()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    tls: ssl.SSLContext | None = None  # when it offers STARTTLS


class ScriptedServer:
    """The server, running as long as the object is not stopped."""

    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def offer_tls(self, certificate: Path | None) -> None:
        """Offer STARTTLS with the certificate and key in that file, or no more."""
        self._server.tls = None
        if certificate:
            self._server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._server.tls.load_cert_chain(certificate)

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
