"""What senders are told of their mail: failures, delays, successes; once, and nobody else."""

import email.utils
import json

import pytest
import reports
from black_hole import BlackHole
from raw_sink import EXTENSIONS, RawSink
from ports import free_ports
from relay import Client, Relay, arrived, patiently, relay_to

SENDER = "a@example.com"
REFUSED = "rcpt=never@:*:reply:550 5.1.1 no such user"
CONTENT = b"From: a@example.com\r\nSubject: the original\r\n\r\nits body\r\n.dot\r\n"


def reports_at(sink, count=1, seconds=20):
    def found():
        reported = [message for message in sink.store.messages() if message.accepted and reports.is_report(message)]
        return reported if len(reported) >= count else None
    return patiently(found, seconds, f"{count} reports at the sink")


def the_report(sink):
    message, = reports_at(sink)
    return reports.parse(message.content)


def send(relay, *recipients, sender=SENDER, content=CONTENT, mail="", rcpt=""):
    with Client(relay.smtp_port) as client:
        return client.send(sender, recipients, content.replace(b"\r\n.", b"\r\n.."), mail, rcpt)


def test_a_failure_is_reported_with_the_fields_of_rfc_3464_Case133(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink, relay_to(sink, tmp_path) as relay:
        queue_id = send(relay, "never@example.net", mail="ENVID=an+2Bid", rcpt="ORCPT=rfc822;first+40example.org")
        message, = reports_at(sink)
        assert (message.sender, message.recipients) == ("", [SENDER])
        report = reports.parse(message.content)
        header = report.message
        assert header["From"].addresses[0].addr_spec == "MAILER-DAEMON@relay.test"
        assert header["To"].addresses[0].addr_spec == SENDER
        assert header["Auto-Submitted"] == "auto-replied"
        assert header["Message-ID"].endswith("@relay.test>") and header["Date"] and header["Subject"]
        assert report.fields["reporting-mta"] == "dns; relay.test"
        assert report.fields["original-envelope-id"] == "an+id"
        assert report.fields["x-queue-id"] == queue_id
        assert email.utils.parsedate_to_datetime(report.fields["arrival-date"])
        recipient, = report.recipients
        assert recipient["original-recipient"] == "rfc822; first@example.org"
        assert recipient["final-recipient"] == "rfc822; never@example.net"
        assert (recipient["action"], recipient["status"]) == ("failed", "5.1.1")
        assert recipient["remote-mta"] == "dns; 127.0.0.1"
        assert recipient["diagnostic-code"] == "smtp; 550 5.1.1 no such user"
        assert email.utils.parsedate_to_datetime(recipient["last-attempt-date"])
        assert "never@example.net" in report.explanation and "no such user" in report.explanation
        assert report.returned.get_content_type() == "message/rfc822"
        # The original within is as it was sent on, with our Received.
        assert message.content.count(b"\r\nits body\r\n.dot\r\n") == 1
        assert report.returned.get_payload()[0]["Received"]
        patiently(relay.is_empty, 10, "the queue is empty")
        assert relay.queue() == [] and relay.metric("failed_messages") == 0
        record, = relay.records("report")
        assert (record["queue_id"], record["to"], record["actions"]) == (queue_id, SENDER, ["failed"])
        assert relay.metric("reports_total") == 1


def test_only_what_failed_is_reported_Case136(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED, "rcpt=later@:2:reply:450 4.2.1 busy"]) as sink:
        with relay_to(sink, tmp_path) as relay:
            send(relay, "now@example.net", "later@example.net", "never@example.net")
            assert the_report(sink).actions == {"never@example.net": "failed"}
            for recipient in ("now@example.net", "later@example.net"):
                assert len(arrived(sink, 1, to=recipient)) == 1
            patiently(relay.is_empty, 10, "the queue is empty")
            assert relay.metric("failed_messages") == 0
        assert len(sink.store.messages()) == 3


def test_several_failures_are_one_report(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED, "rcpt=full@:*:reply:552 5.2.2 full",
                                           "rcpt=gone@:*:reply:551 5.1.6 moved"]) as sink:
        with relay_to(sink, tmp_path, retry_max_age="1s") as relay:
            send(relay, "never@example.net", "gone@example.net")
            report = the_report(sink)
            assert report.actions == {"never@example.net": "failed", "gone@example.net": "failed"}
            assert [each["status"] for each in report.recipients] == ["5.1.1", "5.1.6"]


def test_a_null_sender_gets_no_report_and_its_mail_is_a_dead_letter_Case132(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink, relay_to(sink, tmp_path) as relay:
        queue_id = send(relay, "never@example.net", sender="")
        patiently(lambda: relay.metric("failed_messages") == 1, 10, "the dead letter")
        letter, = relay.queue()
        assert (letter["queue_id"], letter["state"]) == (queue_id, "failed")
        assert not relay.records("report")
        assert relay.metric("reports_total") == 0
        assert sink.store.messages() == []


def test_a_report_that_is_refused_is_not_reported(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED, f"rcpt={SENDER}:*:reply:550 5.1.1 nobody"]) as sink:
        with relay_to(sink, tmp_path) as relay:
            send(relay, "never@example.net")
            patiently(lambda: relay.metric("failed_messages") == 1, 10, "the dead letter")
            letter, = relay.queue()
            assert letter["sender"] == ""
            assert letter["queue_id"] == relay.records("report")[0]["report_id"]
            assert relay.metric("reports_total") == 1


def test_who_wants_to_hear_nothing_is_told_nothing(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink, relay_to(sink, tmp_path) as relay:
        send(relay, "never@example.net", rcpt="NOTIFY=NEVER")
        send(relay, "never@example.net", rcpt="NOTIFY=DELAY")
        patiently(lambda: relay.metric('recipients_total{result="failed"}') == 2, 10, "the failures")
        patiently(relay.is_empty, 10, "the queue is empty")
        assert relay.metric("reports_total") == 0
        assert relay.metric("failed_messages") == 0


def test_success_is_reported_where_the_next_hop_does_not(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        send(relay, "one@example.net", rcpt="NOTIFY=SUCCESS,FAILURE")
        report = the_report(sink)
        assert report.actions == {"one@example.net": "relayed"}
        assert report.recipients[0]["status"].startswith("2.")
        assert report.returned.get_content_type() == "text/rfc822-headers"
        said = [command["line"] for command in commands(sink)]
        assert not any("NOTIFY" in line for line in said)


def test_a_next_hop_with_dsn_gets_the_request_and_owes_the_report(tmp_path):
    with RawSink(tmp_path / "sink", extensions=(*EXTENSIONS, "DSN")) as sink, relay_to(sink, tmp_path) as relay:
        send(relay, "one@example.net", mail="RET=HDRS ENVID=an+2Bid",
             rcpt="NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@example.org")
        arrived(sink, 1)
        patiently(relay.is_empty, 10, "the queue is empty")
        assert relay.metric("reports_total") == 0
        message, = sink.store.messages()
        assert "RET=HDRS" in message.entry["mail"] and "ENVID=an+2Bid" in message.entry["mail"]
        assert "NOTIFY=SUCCESS,FAILURE" in message.entry["rcpt"][0]
        assert "ORCPT=rfc822;first@example.org" in message.entry["rcpt"][0]


def commands(sink):
    """Of the sessions that have ended."""
    patiently(sink.store.sessions, 20, "the end of a session")
    return [command for session in sink.store.sessions() for command in session["commands"]]


@pytest.mark.parametrize("mail, size, whole", [
    ("RET=FULL", 100, True), ("", 100, True), ("RET=HDRS", 100, False), ("RET=FULL", 100_000, False),
], ids=["asked for all", "not asked", "asked for the header", "too large"])
def test_what_is_returned_of_the_message_Case134(tmp_path, mail, size, whole):
    body = b"returned body\r\n" + (b"x" * 70 + b"\r\n") * (size // 72)
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink, relay_to(sink, tmp_path) as relay:
        send(relay, "never@example.net", content=b"Subject: the original\r\n\r\n" + body, mail=mail)
        message, = reports_at(sink)
        report = reports.parse(message.content)
        assert report.returned.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
        assert b"Subject: the original\r\n" in message.content
        assert (b"returned body" in message.content) is whole
        assert len(message.content) < 60_000


def test_a_delay_is_reported_once(tmp_path):
    with RawSink(tmp_path / "sink", specs=["rcpt=later@:*:reply:450 4.2.1 busy"]) as sink:
        with relay_to(sink, tmp_path, retry_warn_after="1s") as relay:
            send(relay, "later@example.net")
            report = the_report(sink)
            assert report.actions == {"later@example.net": "delayed"}
            recipient, = report.recipients
            assert recipient["status"] == "4.2.1"
            assert email.utils.parsedate_to_datetime(recipient["will-retry-until"])
            assert report.returned.get_content_type() == "text/rfc822-headers"
            tries = len(relay.records("deferral"))
            patiently(lambda: len(relay.records("deferral")) >= tries + 2, 20, "more attempts")
            relay.stop()
        with relay:  # what was told is not forgotten
            tries = len(relay.records("deferral"))
            patiently(lambda: len(relay.records("deferral")) >= tries + 2, 20, "more attempts")
            assert relay.metric("queue_messages") == 1
            assert relay.metric("reports_total") == 0
        assert len(reports_at(sink)) == 1


@pytest.mark.parametrize("rcpt", ["NOTIFY=FAILURE", "NOTIFY=NEVER"])
def test_a_delay_is_not_reported_to_who_did_not_ask(tmp_path, rcpt):
    with RawSink(tmp_path / "sink", specs=["rcpt=later@:*:reply:450 4.2.1 busy"]) as sink:
        with relay_to(sink, tmp_path, retry_warn_after="1s") as relay:
            send(relay, "later@example.net", rcpt=rcpt)
            patiently(lambda: [each for each in relay.records("deferral") if each["delay"] > 1.5], 20, "a late attempt")
            assert relay.metric("reports_total") == 0


def smarthosts(**ports):
    """One for each domain: example_net=25."""
    return json.dumps([{"name": name.replace("_", "-"), "host": "127.0.0.1", "port": port, "tls": "none",
                        "recipient_domains": [name.replace("_", ".")]} for name, port in ports.items()])


def test_a_delay_is_reported_while_the_next_hop_is_down(tmp_path):
    dead, = free_ports(1)
    with RawSink(tmp_path / "sink") as sink:
        hosts = smarthosts(example_com=sink.port, example_net=dead)
        with Relay(tmp_path, smarthosts=hosts, retry_warn_after="1s") as relay:
            send(relay, "b@example.net")
            report = the_report(sink)
            assert report.actions == {"b@example.net": "delayed"}
            failures = len(relay.records("hop_failure"))
            patiently(lambda: len(relay.records("hop_failure")) >= failures + 3, 20, "more attempts")
            assert relay.metric("reports_total") == 1
            assert relay.metric("queue_messages") == 1


@pytest.mark.parametrize("hop", ["defers", "is down"])
def test_what_waited_too_long_is_reported_as_failed(tmp_path, hop):
    with RawSink(tmp_path / "sink", specs=["rcpt=@example.net:*:reply:450 4.2.1 busy"]) as sink:
        port = sink.port if hop == "defers" else free_ports(1)[0]
        hosts = smarthosts(example_com=sink.port, example_net=port)
        with Relay(tmp_path, smarthosts=hosts, retry_max_age="2s", retry_warn_after="0s") as relay:
            send(relay, "b@example.net")
            report = the_report(sink)
            recipient, = report.recipients
            assert (recipient["action"], recipient["status"]) == ("failed", "5.4.7")
            patiently(relay.is_empty, 10, "the queue is empty")
            assert relay.metric("failed_messages") == 0


def test_forged_senders_make_no_flood_Case137(tmp_path):
    """300 failures of one sender: all of them are told in time, few at once."""
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink:
        with relay_to(sink, tmp_path, bounce_rate="20/1h") as relay:
            with Client(relay.smtp_port) as client:
                for _ in range(300):
                    client.send(SENDER, ("never@example.net",))
                client.send("other@example.com", ("never@example.net",))
            patiently(lambda: relay.metric("reports_total") == 301, 60, "a report of each")
            arrived(sink, 1, to="other@example.com")
            # The burst is a fifth of the rate; one more comes every three minutes.
            at_once = [record for record in relay.records("report") if record["sent_in"] == 0]
            assert 1 <= len([record for record in at_once if record["to"] == SENDER]) <= 5
            latest = max(record["sent_in"] for record in relay.records("report"))
            assert 14 * 3600 < latest < 16 * 3600
            assert 295 <= relay.metric("queue_messages") <= 299
            assert len(arrived(sink, 1, to=SENDER)) <= 5


def test_utf8_for_a_next_hop_without_it_is_returned_in_a_form_that_it_takes(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        send(relay, "grün@example.net", mail="SMTPUTF8", content="Subject: grün\r\n\r\nx\r\n".encode())
        message, = reports_at(sink)
        report = reports.parse(message.content)
        recipient, = report.recipients
        assert recipient["final-recipient"] == r"utf-8; gr\x{FC}n@example.net"
        assert recipient["status"] == "5.6.7"
        assert "SMTPUTF8" not in message.entry["mail"]
        assert len(sink.store.messages()) == 1


def test_the_sender_of_reports_is_a_setting(tmp_path):
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink:
        with relay_to(sink, tmp_path, bounce_from="postmaster@example.org") as relay:
            send(relay, "never@example.net")
            assert the_report(sink).message["From"].addresses[0].addr_spec == "postmaster@example.org"


def test_a_report_is_not_lost_when_the_relay_dies(tmp_path):
    """The failure and its report are one change of the spool."""
    dead, = free_ports(1)
    with RawSink(tmp_path / "sink", specs=[REFUSED]) as sink, BlackHole() as hole:
        hosts = smarthosts(example_com=hole, example_net=sink.port)
        relay = Relay(tmp_path, smarthosts=hosts).start()
        send(relay, "never@example.net")
        patiently(lambda: relay.records("report"), 20, "the report")
        patiently(lambda: relay.metric('messages_settled_total{result="failed"}') == 1, 10, "it is settled")
        relay.kill()
        relay.settings["smarthosts"] = smarthosts(example_com=sink.port, example_net=dead)
        with relay:
            assert the_report(sink).actions == {"never@example.net": "failed"}
            patiently(relay.is_empty, 10, "the queue is empty")
