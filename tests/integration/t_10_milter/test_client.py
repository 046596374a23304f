"""Who brought a message: client, HELO, TLS, log-in, and what a hostile client says."""

from __future__ import annotations

import smtplib
import socket
import ssl
import subprocess
from typing import Any

from tests.harness.filtered import Filtered, mail
from tests.harness.servers import Receiver, Servers
from trial.clamav import Clamd
from trial.ports import free_ports

AUTHRES = "mx.example.org; dmarc=pass header.from=example.com; spf=fail smtp.mailfrom=b.example"


def test_what_is_known_of_the_client(servers: Servers, receiver: Receiver, clamd: Clamd) -> None:
    key, certificate = servers.state / "key.pem", servers.state / "cert.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "rsa:2048",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    (port,) = free_ports(1)
    postfix = servers.postfix(
        receiver,
        smtpd_milters=f"inet:127.0.0.1:{port}",
        smtpd_authorized_xclient_hosts="127.0.0.1",
        smtpd_tls_security_level="may",
        smtpd_tls_cert_file=str(certificate),
        smtpd_tls_key_file=str(key),
        inet_protocols="all",
        milter_connect_macros="j",  # an administrator's choice must not blind us
        milter_rcpt_macros="{rcpt_host}",
    )
    filtered = Filtered(servers, postfix, receiver, clamd.address)
    filtered.start(milter__socket=f"inet:{port}@127.0.0.1", milter__trusted_authserv=["mx.example.org"])

    with smtplib.SMTP("127.0.0.1", postfix.smtp_port) as smtp:
        smtp.starttls(context=ssl._create_unverified_context())
        smtp.ehlo("tls.example.com")
        smtp.sendmail("a@example.com", ["user@example.org"], mail(Authentication_Results=AUTHRES))
    (line,) = filtered.journal()
    assert line["tls"].startswith("TLSv1.")
    assert line["helo"] == "tls.example.com"
    assert line["authres"]["results"][0] == {
        "method": "dmarc",
        "result": "pass",
        "header.from": "example.com",
    }
    assert line["recipients"][0]["mailer"] == "relay"

    with smtplib.SMTP("127.0.0.1", postfix.smtp_port) as smtp:
        smtp.ehlo()
        login = "XCLIENT NAME=dialup.example.net ADDR=IPV6:2001:db8::7 LOGIN=alice+40example.org"
        assert smtp.docmd(login)[0] == 220
        smtp.ehlo("laptop")
        smtp.sendmail("alice@example.org", ["bob@example.org"], mail())
    line = filtered.journal()[-1]
    assert (line["client_name"], line["client_ip"]) == ("dialup.example.net", "2001:db8::7")
    assert (line["auth_user"], line["helo"], line["tls"]) == ("alice@example.org", "laptop", "")
    assert line["recipients"][0]["direction"] == "internal"


def conversation(port: int, *lines: bytes) -> list[bytes]:
    """Send the lines one by one; the answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answers = [connection.recv(4096)]
        for line in lines:
            connection.sendall(line)
            answers.append(connection.recv(4096))
    return answers


def test_bytes_that_are_no_text(servers: Servers, receiver: Receiver, clamd: Clamd) -> None:
    """With smtputf8_enable = no Postfix lets everything through; neither side may hang on it."""
    postfix = servers.postfix(receiver, smtputf8_enable="no")
    filtered = Filtered(servers, postfix, receiver, clamd.address)
    filtered.start()
    begin = b"MAIL FROM:<a@example.com>\r\n"
    greeted = conversation(postfix.smtp_port, b"EHLO \xff\r\n", begin, b"QUIT\r\n")
    assert [answer[:3] for answer in greeted[1:]] == [b"250", b"451", b"221"]
    answers = conversation(
        postfix.smtp_port,
        b"EHLO x\r\n",
        b"MAIL FROM:<\xffa@example.com>\r\n",
        b"RCPT TO:<\xffb@example.org>\r\n",
        b"DATA\r\n",
        b"Subject: \xff\x1b[31m\r\nX-\xff: a\r\nX-B: a\0b\r\n\r\nb\0dy\r\n.\r\n",
    )
    assert answers[-1].startswith(b"250")
    line: dict[str, Any] = filtered.journal()[0]
    assert line["sender"] == "\udcffa@example.com"
    assert line["recipients"][0]["address"] == "\udcffb@example.org"
    assert line["subject"] == "\udcff\x1b[31m"
    assert "\x1b" not in filtered.said()
