"""REQUIRETLS (RFC 8689): a sender that wants TLS all the way, and next hops that promise it or do not."""

import contextlib
import smtplib
import ssl

import pytest
import reports
from certificates import Authority
from raw_sink import EXTENSIONS, RawSink
from relay import Client, Relay, arrived, patiently, relay_to
from waiting import stays_true

NAME = "relay.test"
CONTENT = "Subject: secret\r\n\r\nbody\r\n"
REFUSED = "rcpt=never@:*:reply:550 5.1.1 no such user"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def inbound(authority):
    certificate, key = authority.issue(NAME)
    return {"tls_certificate_file": certificate, "tls_key_file": key}


@contextlib.contextmanager
def secured(relay, authority):
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, local_hostname="client.test", timeout=20) as client:
        client._host = NAME  # what starttls() asks the certificate for
        client.starttls(context=ssl.create_default_context(cafile=authority.certificate))
        client.ehlo()
        yield client


def send(relay, authority, recipient="b@example.net", sender="a@example.com", options=("REQUIRETLS",)):
    with secured(relay, authority) as client:
        client.sendmail(sender, [recipient], CONTENT, list(options))


def promising(folder, authority, *specs):
    """A next hop that offers REQUIRETLS over TLS that can be verified."""
    return RawSink(folder / "sink", tls=authority.issue("localhost"), extensions=(*EXTENSIONS, "REQUIRETLS"), specs=specs)


def relay_over_tls(sink, folder, authority, **settings):
    return Relay(folder, smarthost=f"localhost:{sink.port}", smarthost_tls="required", smarthost_ca=authority.certificate,
                 **settings)


def test_it_is_offered_over_tls_and_goes_on_to_who_promises_it(tmp_path, authority, inbound):
    with promising(tmp_path, authority) as sink, relay_over_tls(sink, tmp_path, authority, **inbound) as relay:
        with Client(relay.smtp_port, greet=None) as client:
            assert "REQUIRETLS" not in client.say("EHLO client.test", 250)
            assert client.say("MAIL FROM:<a@example.com> REQUIRETLS").startswith("555 5.5.4 ")
        with secured(relay, authority) as client:
            assert client.has_extn("requiretls")
        send(relay, authority)
        send(relay, authority, recipient="plain@example.net", options=())
        demanded, = arrived(sink, 1, to="b@example.net")
        assert demanded.entry["mail"].split()[-1] == "REQUIRETLS" and demanded.entry["tls"]
        plain, = arrived(sink, 1, to="plain@example.net")
        assert "REQUIRETLS" not in plain.entry["mail"]


def test_it_outlives_a_restart_and_so_does_what_it_demands(tmp_path, authority, inbound):
    later = "end:1:reply:451 4.3.0 later"
    settings = {**inbound, "retry_initial_delay": "3s", "retry_max_delay": "3s"}
    with promising(tmp_path, authority, later) as sink:
        with relay_over_tls(sink, tmp_path, authority, **settings) as relay:
            send(relay, authority)
            patiently(lambda: relay.records("deferral"), 10, "it is put off")
            relay.kill()
        with relay_over_tls(sink, tmp_path, authority, **settings):
            message, = arrived(sink, 1)
            assert message.entry["mail"].split()[-1] == "REQUIRETLS"


def test_a_hop_that_does_not_promise_it_gets_nothing_and_the_sender_is_told(tmp_path, authority, inbound):
    """The report goes where the sender is; here that hop does not promise it either, so the report is a dead letter."""
    with RawSink(tmp_path / "sink", tls=authority.issue("localhost")) as sink:
        with relay_over_tls(sink, tmp_path, authority, **inbound) as relay:
            send(relay, authority)
            failure, = patiently(lambda: relay.records("failure")[:1], 10, "the failure")
            assert failure["reply"].startswith("550 5.7.30 "), failure
            patiently(lambda: len(relay.records("failure")) == 2, 10, "that of its report")
            send(relay, authority, recipient="plain@example.net", options=())
            arrived(sink, 1, to="plain@example.net")
            stays_true(lambda: len(sink.store.messages()) == 1, 1, "nothing else came")


def test_without_verified_tls_it_gets_nothing(tmp_path, authority, inbound):
    with RawSink(tmp_path / "sink", extensions=(*EXTENSIONS, "REQUIRETLS")) as sink:
        with relay_to(sink, tmp_path, **inbound) as relay:  # smarthost_tls: none
            send(relay, authority)
            failure, = patiently(lambda: relay.records("failure")[:1], 10, "the failure")
            assert failure["reply"].startswith("550 5.7.10 "), failure
            assert not sink.store.messages()


def test_reports_demand_it_as_the_message_did(tmp_path, authority, inbound):
    with promising(tmp_path, authority, REFUSED) as sink, relay_over_tls(sink, tmp_path, authority, **inbound) as relay:
        send(relay, authority, recipient="never@example.net")
        report, = arrived(sink, 1, to="a@example.com")
        assert reports.is_report(report)
        assert report.entry["mail"].split()[-1] == "REQUIRETLS"
        send(relay, authority, recipient="never@example.net", sender="other@example.com", options=())
        report, = arrived(sink, 1, to="other@example.com")
        assert "REQUIRETLS" not in report.entry["mail"]
