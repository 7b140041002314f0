"""Reports of TLS failures (RFC 8460): what a day has counted goes out the next night, to who asks for it."""

import datetime
import json

import pytest
import tls_reports
from peers import by_mx, zones
from peers.by_mx import ScriptedMx, StsDomain, policy, send
from peers.https_files import HttpsServer, context_for
from relay import arrived, patiently
from shifted_clock import DAY, ShiftedClock
from signatures import make_key, records_of, verified

SENDER = "tls-reports@relay.test"
HOUR = 3600
SPREAD = 4 * HOUR  # section 4.1: reports leave within so long of midnight


class Receiver(HttpsServer):
    """Takes reports by POST (section 5.4)."""

    HOST = zones.SCRIPTED[1]

    def __init__(self, certificate):
        super().__init__((self.HOST, 443), certificate)
        self.kinds = []

    def answer(self, method, host, path, headers, body):
        self.kinds.append(headers.get("Content-Type"))
        return (201, "text/plain", "thanks\n") if method == "POST" else (405, "text/plain", "POST it\n")


def wanted_at(*destinations):
    return {"TXT": f'"v=TLSRPTv1; rua={",".join(destinations)}"'}


@pytest.fixture
def clock(tmp_path):
    return ShiftedClock(tmp_path)


@pytest.fixture
def relay(world, tmp_path, clock):
    """Not yet started."""
    key = {"domain": "relay.test", "selector": "one", "key": str(make_key(tmp_path / "dkim.pem", "rsa"))}
    relay = by_mx.relay(world, tmp_path, prefix=clock.prefix, tls_report_from=SENDER, node_name="node-1",
                        connection_idle_time="0s", retry_warn_after="0s", dkim=json.dumps([key]))
    yield relay
    relay.stop()


def failures_of(relay, host):
    return [each for each in relay.records("hop_failure") if each["host"] == f"{host}:25"]


def kept(relay):
    """What the relay has counted and not yet reported, as it is on disk: {day since 1970: policies}."""
    lines = (relay.folder / "spool/tls-reports.json").read_text().splitlines()
    return {day["day"]: day["policies"] for day in map(json.loads, lines)}


def into_the_night(relay, clock):
    """Starts the relay a few minutes behind midnight; then it is morning, and every report was due.

    Mail that has waited fails again: this is counted for the new day, and once it is on disk the day before is over.
    """
    clock.set(clock.midnight + 300)
    relay.start()
    patiently(lambda: clock.midnight // DAY in kept(relay), 60, "counts of the new day")
    clock.set(clock.midnight + SPREAD + HOUR)


def outcomes(relay):
    return {record["domain"]: record["outcome"] for record in relay.records("tls_report")}


def is_of_yesterday(report, clock):
    """The whole day before the clock's midnight."""
    date = datetime.datetime.fromtimestamp(clock.midnight - DAY, datetime.timezone.utc).strftime("%Y-%m-%d")
    return report["date-range"] == {"start-datetime": f"{date}T00:00:00Z", "end-datetime": f"{date}T23:59:59Z"}


def failed_alone(policies):
    """{domain: policy type}; no session of these succeeded."""
    assert all(each["successes"] == 0 for each in policies), policies
    return {each["domain"]: each["type"] for each in policies}


def test_a_day_is_reported_the_next_night_by_mail_and_by_https(world, tmp_path, clock, relay):
    name, posted = "report-mail.test", "mx.report-post.test"
    (tmp_path / "dane").mkdir()
    by_mail = StsDomain(world, tmp_path, name, policy("enforce", f"mx.{name}", max_age=30 * DAY),
                        records={"_smtp._tls": wanted_at(f"mailto:tls@{name}")})
    # With DANE it is the base of the TLSA records that asks (section 1.1, Policy Domain). They are of another key.
    by_post = ScriptedMx(world, tmp_path / "dane", "report-post.test", address=zones.SCRIPTED[1], signed=True,
                         records={"_25._tcp.mx": {"TLSA": zones.tlsa(world.certificates["postfix"][0])},
                                  "_smtp._tls.mx": wanted_at("https://reports.report-post.test/tls?v=1"),
                                  "reports": {"A": Receiver.HOST}})
    receiver = Receiver(world.authority.issue("reports.report-post.test"))
    with by_mail as sink, by_post, receiver:
        clock.set(clock.midnight - HOUR)
        with relay:
            send(relay, f"one@{name}")
            arrived(sink, 1)
            sink.tls = context_for(by_mx.make_certificate(world.authority, tmp_path, f"mx.{name}", "self-signed"))
            send(relay, f"two@{name}")
            send(relay, "three@report-post.test")
            for host in (f"mx.{name}", posted):
                patiently(lambda host=host: failures_of(relay, host), 30, f"a failure of {host}")
        assert list(kept(relay)) == [clock.midnight // DAY - 1]
        into_the_night(relay, clock)
        patiently(lambda: outcomes(relay) == {name: "sent", posted: "sent"}, 60, "both reports have left")
        message, = arrived(sink, 1, to=f"tls@{name}")
        # Mail for the same server waits for a certificate that the policy accepts, and the report did not (section 3).
        delivery = by_mx.delivery_of(relay, f"tls@{name}")
        assert delivery["destination"] == f"mx/{name}#report" and delivery["tls"].endswith(" unverified")
        assert relay.metric("queue_messages") == 2
        assert len(arrived(sink, 2)) == 2, "the first one and the report"
        published = records_of(relay)
        relay.stop()

    assert (message.sender, message.recipients) == (SENDER, [f"tls@{name}"])
    assert verified(message.content, published, now=clock.now())
    assert not verified(message.content.replace(b"\r\nTo: ", b"\r\nTo: x", 1), published, now=clock.now())
    mail = tls_reports.parse_mail(message.content)
    is_mail_about(name, mail, clock)
    one, = mail.report["policies"]
    assert one["policy"] == {
        "policy-type": "sts", "policy-domain": name, "mx-host": [f"mx.{name}"],
        "policy-string": ["version: STSv1", "mode: enforce", f"mx: mx.{name}", f"max_age: {30 * DAY}"]}
    assert one["summary"]["total-successful-session-count"] == 1
    detail, = one["failure-details"]
    assert detail.pop("failed-session-count") >= 1
    assert detail == {"result-type": "certificate-not-trusted", "receiving-mx-hostname": f"mx.{name}",
                      "receiving-ip": zones.SCRIPTED[0], "failure-reason-code": "self-signed certificate"}

    (method, host, path, body), = receiver.requests
    assert (method, host, path) == ("POST", "reports.report-post.test", "/tls?v=1")
    assert receiver.kinds == [tls_reports.MEDIA_TYPE]
    report = tls_reports.parse(body)
    assert is_of_yesterday(report, clock)
    one, = report["policies"]
    assert (one["policy"]["policy-type"], one["policy"]["policy-domain"]) == ("tlsa", posted)
    line, = one["policy"]["policy-string"]
    assert line.lower() == f"_25._tcp.{posted}. in tlsa {zones.tlsa(world.certificates['postfix'][0])}"
    assert one["summary"]["total-successful-session-count"] == 0
    assert [detail["result-type"] for detail in one["failure-details"]] == ["tlsa-invalid"]

    # Both are forgotten, and the sessions that carried them count nowhere: there is the new day's mail alone.
    assert list(kept(relay)) == [clock.midnight // DAY]
    assert failed_alone(kept(relay)[clock.midnight // DAY]) == {name: "sts", posted: "tlsa"}


def is_mail_about(name, mail, clock):
    """Section 5.3, and 5.1 of the file's name."""
    report, header = mail.report, mail.message
    assert is_of_yesterday(report, clock)
    assert (report["organization-name"], report["contact-info"]) == ("relay.test", SENDER)
    identity = report["report-id"]
    assert identity.endswith("@relay.test") and name in identity and "node-1" in identity
    assert header["Subject"] == f"Report Domain: {name} Submitter: relay.test Report-ID: <{identity}>"
    assert (header["TLS-Report-Domain"], header["TLS-Report-Submitter"]) == (name, "relay.test")
    assert header["Message-ID"] == f"<{identity}>"
    assert header["Auto-Submitted"] == "auto-generated"
    assert [each.addr_spec for each in header["From"].addresses] == [SENDER]
    assert [each.addr_spec for each in header["To"].addresses] == [f"tls@{name}"]
    assert 0 <= clock.now() - header["Date"].datetime.timestamp() < 600
    begin, end = clock.midnight - DAY, clock.midnight - 1
    assert mail.file_name == f"relay.test!{name}!{begin}!{end}!node-1.json.gz"
    assert name in mail.explanation


def test_a_report_that_is_refused_is_told_nobody_and_counted_nowhere_Case135(world, tmp_path, clock, relay):
    """Or reports would beget reports: of the mail that carries them, and of the sessions that it goes over."""
    name = "report-refused.test"
    domain = StsDomain(world, tmp_path, name, policy("enforce", f"mx.{name}", max_age=30 * DAY), certificate="none",
                       specs=["rcpt=tls@:*:reply:550 5.1.1 nobody reads them"],
                       records={"_smtp._tls": wanted_at(f"mailto:tls@{name}")})
    with domain as sink:
        clock.set(clock.midnight - HOUR)
        with relay:
            send(relay, f"x@{name}")
            patiently(lambda: failures_of(relay, f"mx.{name}"), 30, "a failure")
        into_the_night(relay, clock)
        failure, = patiently(lambda: relay.records("failure"), 60, "the refusal")
        assert (failure["recipient"], failure["destination"]) == (f"tls@{name}", f"mx/{name}#report")
        assert failure["reply"].startswith("550 5.1.1")
        patiently(lambda: relay.metric("queue_messages") == 1, 10, "the mail that waits is alone")
        patiently(lambda: outcomes(relay) == {name: "sent"}, 10, "it is over: mail took it")
        assert relay.metric("failed_messages") == 0
        assert relay.metric("reports_total") == 0 and not relay.records("report")
        relay.stop()
        assert sink.store.messages() == []
    assert list(kept(relay)) == [clock.midnight // DAY]
    assert failed_alone(kept(relay)[clock.midnight // DAY]) == {name: "sts"}
