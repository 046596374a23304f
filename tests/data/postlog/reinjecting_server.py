"""A server that hands what it takes back to Postfix and answers with its reply, as after-queue filters do."""

from __future__ import annotations

import smtplib
import socketserver
import threading

from scripted_server import _Server, _Talk


class ReinjectingServer:
    """Runs until it is stopped; `port` is where Postfix should hand messages."""

    def __init__(self, back: int) -> None:
        class Talk(_Talk):
            def data(self, recipients: list[str]) -> None:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                with smtplib.SMTP("127.0.0.1", back, "filter.example") as client:
                    client.ehlo()
                    client.mail("a@src.example")
                    for recipient in recipients:
                        client.rcpt(recipient)
                    code, reply = client.data(b"".join(lines))
                answer = reply.decode("latin-1")
                self.say(f"{code} 2.0.0 from MTA(smtp:[127.0.0.1]:{back}): {code} {answer}")

        self._server: socketserver.ThreadingTCPServer = _Server(("127.0.0.1", 0), Talk)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
