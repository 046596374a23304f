"""What record.py provokes; the functions' names are the incidents' names, their order the numbers."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from record import Instance, free_port, incident, later_incident

SENT = r"status=sent"
REMOVED = r": removed"


@incident
def delivered(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example")
    i.said(REMOVED)


@incident
def bounced(i: Instance) -> None:
    i.send("a@src.example", "unknown@far.example")
    i.said(REMOVED, 2)


@incident
def deferred(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")


@incident
def deferred_then_delivered(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")
    from scripted_server import ANSWERS

    answer = ANSWERS.pop("busy")
    i.command("postqueue", "-f")
    i.said(REMOVED)
    ANSWERS["busy"] = answer


@incident
def three_recipients_three_fates(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example", "unknown@far.example", "busy@far.example")
    i.said("non-delivery notification")


@incident
def same_recipient_in_two_domains_spellings(i: Instance) -> None:
    i.send("a@src.example", "Ok@FAR.example", "ok@far.example")
    i.said(REMOVED)


@incident
def null_sender(i: Instance) -> None:
    i.send("", "ok@far.example")
    i.said(REMOVED)


@incident
def null_sender_bounced_is_dropped(i: Instance) -> None:
    i.send("", "unknown@far.example")
    i.said(REMOVED)


@incident
def virtual_alias_to_one(i: Instance) -> None:
    i.send("a@src.example", "one@alias.example")
    i.said(REMOVED)


@incident
def virtual_alias_to_two_with_different_fates(i: Instance) -> None:
    i.send("a@src.example", "two@alias.example")
    i.said(REMOVED, 2)


@incident
def local_alias_forwarded(i: Instance) -> None:
    i.send("a@src.example", "away@local.example")
    i.said(REMOVED, 2)


@incident
def local_alias_to_several(i: Instance) -> None:
    i.send("a@src.example", "team@local.example")
    i.said(REMOVED, 2)


@incident
def local_command(i: Instance) -> None:
    i.send("a@src.example", "command@local.example")
    i.said(REMOVED)


@incident
def local_user_unknown_after_queueing(i: Instance) -> None:
    i.sendmail("-f", "a@src.example", "nobody-here@local.example")
    i.said(REMOVED, 2)


@incident
def virtual_mailbox(i: Instance) -> None:
    i.send("a@src.example", "box@virtual.example")
    i.said(REMOVED)


@incident
def pipe_fails(i: Instance) -> None:
    i.send("a@src.example", "x@failing.example")
    i.said(REMOVED, 2)


@incident
def pipe_asks_for_later(i: Instance) -> None:
    i.send("a@src.example", "x@later.example")
    i.said("status=deferred")


@incident
def pipe_takes_it(i: Instance) -> None:
    i.send("a@src.example", "x@taking.example")
    i.said(REMOVED)


@incident
def error_transport(i: Instance) -> None:
    i.sendmail("-f", "a@src.example", "x@error.example")
    i.said(REMOVED, 2)


@incident
def retry_transport(i: Instance) -> None:
    i.sendmail("-f", "a@src.example", "x@retry.example")
    i.said("status=deferred")


@incident
def discard_transport(i: Instance) -> None:
    i.send("a@src.example", "x@discard.example")
    i.said(REMOVED)


@incident
def lmtp_delivery(i: Instance) -> None:
    i.send("a@src.example", "ok@lmtp.example")
    i.said(REMOVED)


@incident
def relay_service(i: Instance) -> None:
    i.send("a@src.example", "ok@inside.example", "busy@inside.example")
    i.said("status=deferred")


@incident
def connection_refused(i: Instance) -> None:
    i.send("a@src.example", "x@closed.example")
    i.said("status=deferred")


@incident
def host_not_found(i: Instance) -> None:
    i.send("a@src.example", "x@unknown-host.example")
    i.said(r"status=\w+")


@incident
def hostile_reply(i: Instance) -> None:
    i.send("a@src.example", "hostile@far.example")
    i.said(REMOVED, 2)


@incident
def reply_of_several_lines_that_forges_fields(i: Instance) -> None:
    i.send("a@src.example", "lines@far.example")
    i.said(REMOVED, 2)


@incident
def long_reply(i: Instance) -> None:
    i.send("a@src.example", "long@far.example")
    i.said(REMOVED, 2)


@incident
def server_hangs_up(i: Instance) -> None:
    i.send("a@src.example", "hangup@far.example")
    i.said("status=deferred")


@incident
def refused_after_data(i: Instance) -> None:
    i.send("a@src.example", "refused-data@far.example", "ok@far.example")
    i.said(REMOVED, 2)


@incident
def deferred_after_data(i: Instance) -> None:
    i.send("a@src.example", "later-data@far.example")
    i.said("status=deferred")


@incident
def sender_refused(i: Instance) -> None:
    i.send("refused-sender@src.example", "ok@far.example")
    i.said(REMOVED, 2)


@incident
def quoted_local_parts(i: Instance) -> None:
    forged = '"x>, relay=evil[192.0.2.66]:25, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)"'
    i.send('"a b"@src.example', f"{forged}@far.example", '"quo\\"ted"@far.example')
    i.said(REMOVED)


@incident
def utf8_addresses(i: Instance) -> None:
    i.send("jürgen@src.example", "ök@far.example", options=["SMTPUTF8"])
    i.said(r"message-id|reject")


@incident
def transcript_of_a_delivery(i: Instance) -> None:
    i.send("a@src.example", "ok@talk.example")
    i.said(REMOVED)


@incident
def transcript_with_three_fates(i: Instance) -> None:
    i.send("a@src.example", "ok@talk.example", "unknown@talk.example", "busy@talk.example")
    i.said("non-delivery notification")


@incident
def transcript_with_a_reply_of_several_lines(i: Instance) -> None:
    i.send("a@src.example", "lines@talk.example")
    i.said(REMOVED, 2)


@incident
def transcript_of_two_messages_by_one_process(i: Instance) -> None:
    i.send("a@src.example", "ok@talk.example")
    i.said(REMOVED)
    i.send("b@src.example", "busy@talk.example")
    i.said("status=deferred")


@incident
def transcript_that_breaks_off(i: Instance) -> None:
    i.send("a@src.example", "hangup@talk.example")
    i.said("status=deferred")


@incident
def connection_used_again(i: Instance) -> None:
    i.configure(smtp_connection_cache_destinations="[127.0.0.1], 127.0.0.1")
    i.send("a@src.example", "ok@talk.example")
    i.said(REMOVED)
    i.send("b@src.example", "ok@talk.example")
    i.said(REMOVED, 2)
    i.configure(smtp_connection_cache_destinations="")


@incident
def held_by_access_table(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example", "other@far.example", port=i.other_port)
    i.said("message-id=")


@incident
def held_then_released(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example", port=i.other_port)
    i.command("postsuper", "-H", i.one())
    i.command("postqueue", "-f")
    i.said(REMOVED)


@incident
def held_then_deleted(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example", port=i.other_port)
    i.command("postsuper", "-d", i.one())
    i.said(REMOVED)


@incident
def deferred_then_put_on_hold(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")
    i.settled()
    i.command("postsuper", "-h", i.one())
    i.said("placed on hold")


@incident
def deferred_then_deleted(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example", "ok@far.example")
    i.said("status=deferred")
    i.settled()
    i.command("postsuper", "-d", i.one())
    i.said(REMOVED)


@incident
def requeued_gets_a_new_id(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")
    i.settled()
    i.command("postsuper", "-r", i.one())
    i.command("postqueue", "-f")
    i.said("orig_id=")
    i.said("status=deferred", 2)


@incident
def force_expired(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example", "busy@inside.example")
    i.said("status=deferred", 2)
    i.settled()
    i.command("postsuper", "-f", i.one())
    i.command("postqueue", "-f")
    i.said("non-delivery notification")
    i.said(REMOVED)


@incident
def expired(i: Instance) -> None:
    i.configure(maximal_queue_lifetime="0", bounce_queue_lifetime="0")
    i.send("a@src.example", "busy@far.example")
    i.said("non-delivery notification")
    i.said(REMOVED)
    i.configure(maximal_queue_lifetime="5d", bounce_queue_lifetime="5d")


@incident
def delay_warning(i: Instance) -> None:
    i.configure(delay_warning_time="1s")
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")
    i.settled()
    __import__("time").sleep(1.5)
    i.command("postqueue", "-i", i.one())
    i.said("delay notification")
    i.configure(delay_warning_time="0")


@incident
def success_notification(i: Instance) -> None:
    with smtplib.SMTP("127.0.0.1", i.port, "client.example") as client:
        client.ehlo()
        client.mail("a@src.example")
        client.docmd("RCPT TO:<ok@far.example> NOTIFY=SUCCESS")
        client.data(b"Subject: x\r\n\r\ntext\r\n")
    i.said(r"delivery status notification")
    i.said(REMOVED, 1)


@incident
def local_submission(i: Instance) -> None:
    i.sendmail("-f", "a@src.example", "ok@far.example")
    i.said(REMOVED)


@incident
def address_verification_by_sendmail(i: Instance) -> None:
    i.sendmail("-bv", "-f", "a@src.example", "ok@far.example", "unknown@far.example")
    i.said("delivery status notification")


@incident
def address_verification_probe(i: Instance) -> None:
    i.configure(smtpd_recipient_restrictions="reject_unverified_recipient,permit_mynetworks,reject")
    i.send("a@src.example", "ok@far.example", "unknown@far.example")
    i.said("status=sent")
    i.configure(smtpd_recipient_restrictions="")


@incident
def rejected_before_there_is_a_message(i: Instance) -> None:
    i.send("a@src.example", "x@error.example")
    i.send("a@src.example", "nobody-here@local.example", "nobody@virtual.example")
    i.said("NOQUEUE: reject", 3)


@incident
def one_recipient_rejected_one_accepted(i: Instance) -> None:
    i.send("a@src.example", "ok@far.example", "nobody@virtual.example")
    i.said(REMOVED)


@incident
def client_goes_away_in_data(i: Instance) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", i.port))) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@src.example>\r\nRCPT TO:<ok@far.example>\r\nDATA\r\n")
        client.recv(4096)
        client.sendall(b"Subject: half\r\nMessage-ID: <half@test.example>\r\n\r\n")
    i.said("lost connection after DATA")


@incident
def header_checks_of_all_kinds(i: Instance) -> None:
    checks = Path(i.directory, "checks")
    checks.write_text(
        "/^Subject: hold/ HOLD for a look\n"
        "/^Subject: reject/ REJECT not this; from=<x@y> to=<z@z> proto=SMTP\n"
        "/^Subject: discard/ DISCARD gone\n/^Subject: warn/ WARN take note\n"
        "/^Subject: redirect/ REDIRECT ok@far.example\n/^Subject: prepend/ PREPEND X-Seen: yes\n"
    )
    i.configure(header_checks=f"regexp:{checks}")
    for subject in ("hold", "reject", "discard", "warn", "redirect", "prepend"):
        i.send(
            "a@src.example",
            "busy@far.example",
            "ok@inside.example",
            subject=f"{subject} from x[1.2.3.4]; from=<a>",
        )
    i.said("milter|status=deferred", 2)
    i.configure(header_checks="")


@incident
def body_checks_reject(i: Instance) -> None:
    i.configure(body_checks="inline:{ { text = REJECT body refused } }")
    i.send("a@src.example", "ok@far.example")
    i.said("reject: body")
    i.configure(body_checks="")


@contextlib.contextmanager
def milter(i: Instance) -> Iterator[None]:
    """Run tiny_milter.py while Postfix asks it."""
    port = free_port()
    program = [sys.executable, str(Path(__file__).with_name("tiny_milter.py")), f"inet:{port}@127.0.0.1"]
    process = subprocess.Popen(program)
    try:
        i.wait(lambda: _answers(port))
        i.configure(smtpd_milters=f"inet:127.0.0.1:{port}")
        yield
    finally:
        i.configure(smtpd_milters="")
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@incident
def milter_holds_then_released(i: Instance) -> None:
    with milter(i):
        i.send("a@src.example", "held@far.example", "ok@far.example")
        i.said("milter-hold")
        i.command("postsuper", "-H", i.one())
        i.command("postqueue", "-f")
        i.said(REMOVED)


@incident
def milter_rejects_discards_tempfails(i: Instance) -> None:
    with milter(i):
        for name in ("refused", "dropped", "tempfailed", "refused-rcpt"):
            i.send("a@src.example", f"{name}@far.example")
        i.said("milter-reject", 3)


@incident
def split_by_xforward(i: Instance) -> None:
    i.send("a@src.example", "busy@far.example")
    i.said("status=deferred")
    first = i.one()
    with smtplib.SMTP("127.0.0.1", i.other_port, "localhost") as client:
        client.ehlo()
        client.docmd(f"XFORWARD NAME=origin.example ADDR=192.0.2.1 IDENT={first}")
        client.sendmail("a@src.example", ["copy@far.example"], b"Subject: x\r\n\r\ncopy\r\n")
    i.said("orig_queue_id=")


@incident
def after_queue_filter_by_message_id(i: Instance) -> None:
    """A receiving server that hands each message back, as amavis does, and says under which queue ID."""
    from reinjecting_server import ReinjectingServer

    server = ReinjectingServer(i.other_port)
    i.command(
        "postconf",
        "-P",
        f"127.0.0.1:{i.other_port}/inet/smtpd_recipient_restrictions=permit_mynetworks,reject",
    )
    i.configure(content_filter=f"smtp:[127.0.0.1]:{server.port}")
    i.command("postconf", "-P", f"127.0.0.1:{i.other_port}/inet/content_filter=")
    i.command("postfix", "reload")
    i.send("a@src.example", "ok@far.example", "unknown@far.example")
    i.said(REMOVED, 3)
    server.stop()
    i.configure(content_filter="")


@incident
def short_queue_ids(i: Instance) -> None:
    i.configure(enable_long_queue_ids="no")
    i.send("a@src.example", "ok@far.example")
    i.said(REMOVED)
    i.send("b@src.example", "unknown@far.example")
    i.said(REMOVED, 3)
    i.configure(enable_long_queue_ids="yes")


@later_incident
def encrypted_to_the_server_and_later_not(i: Instance) -> None:
    """The same delivery agent's next connection to the same server is not encrypted."""
    i.configure(smtp_tls_security_level="may", smtp_tls_loglevel="1", smtp_tls_CAfile="")
    i.server.offer_tls(i.certificate())
    i.send("a@src.example", "ok@far.example", "unknown@far.example")
    i.said(REMOVED, 2)
    i.server.offer_tls(None)
    i.send("a@src.example", "ok@far.example")
    i.said(REMOVED, 3)
    i.configure(smtp_tls_security_level="")


@later_incident
def encrypted_to_a_server_whose_name_is_verified(i: Instance) -> None:
    i.server.offer_tls(i.certificate())
    i.configure(
        smtp_tls_security_level="secure",
        smtp_tls_secure_cert_match="receiver.example",
        smtp_tls_CAfile=f"{i.certificate()}.crt",
        smtp_tls_loglevel="1",
    )
    i.send("a@src.example", "ok@far.example")
    i.send("a@src.example", "busy@talk.example")
    i.said(REMOVED)
    i.said("status=deferred")
    i.configure(smtp_tls_security_level="", smtp_tls_CAfile="")
    i.server.offer_tls(None)


@later_incident
def encrypted_connection_used_again(i: Instance) -> None:
    i.server.offer_tls(i.certificate())
    i.configure(
        smtp_tls_security_level="may",
        smtp_tls_loglevel="1",
        smtp_tls_connection_reuse="yes",
        smtp_connection_cache_destinations="[127.0.0.1], 127.0.0.1",
    )
    for sender in ("a", "b"):
        i.send(f"{sender}@src.example", "ok@far.example")
        i.said(REMOVED, 1 if sender == "a" else 2)
    i.configure(
        smtp_tls_security_level="", smtp_tls_connection_reuse="no", smtp_connection_cache_destinations=""
    )
    i.server.offer_tls(None)


@later_incident
def encrypted_from_the_client_and_later_not(i: Instance) -> None:
    """Two messages in one encrypted conversation, then one in a conversation that is not."""
    i.configure(
        smtpd_tls_security_level="may", smtpd_tls_chain_files=str(i.certificate()), smtpd_tls_loglevel="1"
    )
    message = "Subject: x\r\nMessage-ID: <%s@test.example>\r\n\r\ntext\r\n"
    with smtplib.SMTP("127.0.0.1", i.port, "client.example") as client:
        client.starttls()
        for name in ("one", "two"):
            client.sendmail(f"{name}@src.example", ["ok@far.example"], message % name)
        i.said(REMOVED, 2)
    i.send("three@src.example", "ok@far.example")
    i.said(REMOVED, 3)
    i.configure(smtpd_tls_security_level="")


@later_incident
def held_file_divided_two_and_two(i: Instance) -> None:
    """As an act on two of four recipients does it: two held copies, whose service names every recipient."""
    four = [f"{name}@far.example" for name in ("one", "two", "three", "four")]
    i.send("a@src.example", *four, port=i.other_port)
    original = i.one()
    for some in (four[1:3], [four[0], four[3]]):
        with smtplib.SMTP("127.0.0.1", i.copies_port, "mailweir") as client:
            client.ehlo()
            client.docmd(f"XFORWARD NAME=origin.example ADDR=192.0.2.1 IDENT={original}")
            client.sendmail("a@src.example", some, b"Subject: x\r\nMessage-ID: <x@y>\r\n\r\ncopy\r\n")
    copy = re.findall(rf"(\w+): client=.*orig_queue_id={original}", i.lines())[0]
    i.command("postsuper", "-d", original)
    i.command("postsuper", "-d", copy)
    i.said(f"{copy}: removed")


@later_incident
def held_file_with_an_alias_divided(i: Instance) -> None:
    """The alias led to two addresses before the file was held, so that the copies name these."""
    two = ["ok@far.example", "unknown@far.example"]  # of the alias two@alias.example
    i.send("a@src.example", "two@alias.example", "other@far.example", port=i.other_port)
    original = i.one()
    for some in (two, ["other@far.example"]):
        with smtplib.SMTP("127.0.0.1", i.copies_port, "mailweir") as client:
            client.ehlo()
            client.docmd(f"XFORWARD NAME=origin.example ADDR=192.0.2.1 IDENT={original}")
            client.sendmail("a@src.example", some, b"Subject: x\r\nMessage-ID: <x@y>\r\n\r\ncopy\r\n")
    copy = re.findall(rf"(\w+): client=.*orig_queue_id={original}", i.lines())[0]
    i.command("postsuper", "-d", original)
    i.command("postsuper", "-H", copy)
    i.command("postqueue", "-f")
    i.said(f"{copy}: removed")
