"""Delivery to a smarthost that behaves, and to one that does not."""

import socket
import ssl
import threading
import time
import warnings

import pytest
from black_hole import BlackHole
from certificates import Authority
from raw_sink import EXTENSIONS, RawSink
from relay import QUICK_TEST, Client, Relay, arrived, patiently, relay_to, send_octets

CANARY = "canary:pass:word"


def test_the_quick_test_arrives_byte_for_byte(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        assert "250 2.0.0 OK queued" in send_octets(relay.smtp_port, QUICK_TEST)
        message = arrived(sink, 1)[0]
        header, separator, rest = message.raw.partition(b"Subject: A Test\r\n")
        assert separator + rest == b"Subject: A Test\r\n\r\nThis is just a test\r\n"
        assert header.startswith(b"Received: from 1 ([127.0.0.1])\r\n\tby relay.test with SMTP id ")
        assert header.count(b"\r\n") == header.count(b"\r\n\t") + 1  # one field
        assert message.sender == "marc@buildinglink.com"
        assert message.recipients == ["codemarc@gmail.com"]


def test_the_quick_test_arrives_when_nobody_reads_the_answers(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        for _ in range(10):
            send_octets(relay.smtp_port, QUICK_TEST, read=False)
        arrived(sink, 10)


@pytest.mark.parametrize("content", [
    b".leading dot\r\n", b".\r\n..\r\n...\r\n", b"no header\r\n", b"\r\n", b"", b"A: b\r\n\r\n" + b"x" * 900_000 + b"\r\n",
    bytes(octet for octet in range(256) if octet not in b"\r\n") * 50 + b"\r\n",
], ids=["dot", "dots", "no header", "empty line", "nothing", "long line", "every octet"])
def test_content_arrives_as_it_was_sent(tmp_path, content):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        if content.startswith(b"."):
            stuffed = b"." + stuffed
        with Client(relay.smtp_port) as client:
            client.send(content=stuffed)
        received = arrived(sink, 1)[0].content
        own_line = received.index(b"+0000\r\n") + len(b"+0000\r\n")
        rest = received[own_line:]
        # One empty line in front of what is no header (case 85), and nothing else.
        has_header = content.startswith((b"A: b", b"\r\n")) or content == b""
        assert rest == (content if has_header else b"\r\n" + content)


def test_a_large_message_costs_little_memory(tmp_path):
    def resident(relay):
        status = open(f"/proc/{relay.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, max_message_size="128Mi") as relay:
        line = b"x" * 998 + b"\r\n"
        with Client(relay.smtp_port) as client:
            client.send(content=b"A: b\r\n\r\n" + line * 100)
            arrived(sink, 1)
            before = resident(relay)
            client.send(content=b"A: b\r\n\r\n" + line * 120_000)
        message = arrived(sink, 2, 60)[1]
        assert message.raw.endswith(line * 120_000)
        # Write buffers of the spool may fill (4 MiB each, and as much again under AddressSanitizer); the message
        # itself is nowhere held as a whole.
        assert resident(relay) - before < 96, "MiB more for a message of 120 MB"


def test_credentials_go_out_over_verified_tls(tmp_path):
    authority = Authority(tmp_path / "pki")
    user, _, password = CANARY.partition(":")
    (tmp_path / "passwd.client").write_text(f"# Exim's format\nlocalhost:{CANARY}\n*:wrong:wrong\n")
    with RawSink(tmp_path / "sink", tls=authority.issue("localhost"), credentials=(user, password),
                 require_auth=True) as sink:
        relay = Relay(tmp_path, smarthost=f"localhost:{sink.port}", smarthost_tls="required",
                      smarthost_ca=authority.certificate)
        with relay:
            with Client(relay.smtp_port) as client:
                client.send()
            message = arrived(sink, 1)[0]
            assert message.entry["user"] == user
            assert message.entry["tls"]
            delivery = patiently(lambda: relay.records("delivery"), 5, "the record")[0]
            assert delivery["tls"].endswith(" verified")
            assert relay.metric("delivery_connections_tls_total") == 1
        assert "pass:word" not in relay.log_file.read_text()


def said_to(sink):
    return [command["line"] for session in sink.store.sessions() for command in session["commands"]]


def broken_certificates(folder):
    good = Authority(folder / "good")
    return {
        "another authority": Authority(folder / "other", "other").issue("localhost"),
        "another name": good.issue("elsewhere.test"),
        "expired": good.issue("localhost", expired=True),
    }, good


@pytest.mark.parametrize("fault", ["another authority", "another name", "expired"])
@pytest.mark.parametrize("tls", ["required", "opportunistic", "none"])
def test_a_certificate_that_does_not_verify_gets_neither_mail_nor_password(tmp_path, fault, tls):
    """Credentials imply verified TLS, whatever the setting says."""
    certificates, good = broken_certificates(tmp_path)
    (tmp_path / "passwd.client").write_text(f"localhost:{CANARY}\n")
    with RawSink(tmp_path / "sink", tls=certificates[fault], credentials=("canary", "pass:word")) as sink:
        relay = Relay(tmp_path, smarthost=f"localhost:{sink.port}", smarthost_tls=tls, smarthost_ca=good.certificate)
        with relay:
            with Client(relay.smtp_port) as client:
                client.send()
            failure = patiently(lambda: relay.records("hop_failure"), 20, "the failure")[0]
            assert "certificate" in failure["error"]
            assert relay.metric("queue_messages") == 1
            assert "certificate" in relay.ctl("queue")
        assert sink.store.messages() == []
        assert not any(line.startswith(("MAIL", "AUTH")) for line in said_to(sink))


def test_auth_offered_in_the_clear_only_is_not_taken(tmp_path):
    (tmp_path / "passwd.client").write_text(f"*:{CANARY}\n")
    with RawSink(tmp_path / "sink", credentials=("canary", "pass:word"), auth_offer="before-tls") as sink:
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            patiently(lambda: relay.records("hop_failure"), 10, "the failure")
        assert not any(line.startswith(("MAIL", "AUTH")) for line in said_to(sink))


def test_a_wrong_password_holds_mail_and_a_changed_one_lets_it_flow(tmp_path):
    authority = Authority(tmp_path / "pki")
    passwords = tmp_path / "passwd.client"
    passwords.write_text("localhost:user:wrong-canary\n")
    with RawSink(tmp_path / "sink", tls=authority.issue("localhost"), credentials=("user", "right-canary"),
                 require_auth=True) as sink:
        # A retry so late that only the changed file can explain what arrives.
        relay = Relay(tmp_path, smarthost=f"localhost:{sink.port}", smarthost_tls="required",
                      smarthost_ca=authority.certificate, retry_initial_delay="1h", retry_max_delay="1h")
        with relay:
            with Client(relay.smtp_port) as client:
                for _ in range(5):
                    client.send()
            refused = patiently(lambda: relay.records("credentials_refused"), 10, "the record of the refusal")[0]
            assert refused["host"] == f"localhost:{sink.port}"
            assert refused["reply"].startswith("535")
            patiently(lambda: relay.metric("credentials_refused") == 1, 5, "the gauge is up")
            assert relay.metric("queue_messages") == 5
            assert relay.metric('recipients_total{result="failed"}') == 0
            part = tmp_path / "part"
            part.write_text("localhost:user:right-canary\n")
            part.rename(passwords)
            arrived(sink, 5, 10)
            patiently(lambda: relay.metric("credentials_refused") == 0, 5, "the gauge is down")
        assert "canary" not in relay.log_file.read_text()


def test_opportunistic_tls_that_fails_falls_back_on_another_connection(tmp_path):
    with RawSink(tmp_path / "sink", tls=Authority(tmp_path / "pki").issue("localhost")) as sink:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            sink.tls.minimum_version = sink.tls.maximum_version = ssl.TLSVersion.TLSv1_1  # too old for the relay
        with relay_to(sink, tmp_path, smarthost_tls="opportunistic") as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            message = arrived(sink, 1)[0]
            assert not message.entry["tls"]
            assert "STARTTLS" in said_to(sink)


# ---- a next hop that fails ----

STAGES = ["connect", "ehlo", "mail", "rcpt", "data", "body", "end"]


@pytest.mark.parametrize("action", ["drop", "reset", "reply:421 4.3.2 later", "reply:451 4.3.0 later", "reply:999 garbage"])
@pytest.mark.parametrize("stage", STAGES)
def test_mail_survives_a_fault_at_every_stage(tmp_path, stage, action):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add(f"{stage}:2:{action}")
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send(recipients=("one@example.net", "two@example.net"))
            arrived(sink, 1)
            patiently(lambda: relay.metric("queue_messages") == 0, 10, "the queue is empty")
            copies = [message for message in sink.store.messages() if message.accepted]
            got = sorted(recipient for message in copies for recipient in message.recipients)
            assert set(got) == {"one@example.net", "two@example.net"}
            # Of what breaks off nobody knows what the sink made of it; what was answered comes once.
            if stage == "rcpt" or action.startswith("reply"):
                assert len(got) == 2
            assert relay.metric("failed_messages") == 0


def test_a_connection_lost_behind_the_dot_may_duplicate_and_says_so(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add("end:1:drop")
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            arrived(sink, 1)
            patiently(lambda: relay.metric('possible_duplicates_total{side="out"}') == 1, 5, "the count")
            assert any(record.get("possible_duplicate") for record in relay.records("deferral"))


@pytest.mark.parametrize("fault", ["data:1:early", "end:1:twice", "mail:1:twice"])
def test_a_desynchronised_next_hop_loses_nothing(tmp_path, fault):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add(fault)
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send()
                client.send()
            arrived(sink, 2)
            patiently(lambda: relay.metric("queue_messages") == 0, 10, "the queue is empty")


def test_each_recipient_has_its_own_result(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add("rcpt=never@:*:reply:550 5.1.1 no such user")
        sink.faults.add("rcpt=later@:2:reply:450 4.2.1 mailbox busy")
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send("", ("now@example.net", "later@example.net", "never@example.net"))
            messages = arrived(sink, 2)
            assert [message.recipients for message in messages] == [["now@example.net"], ["later@example.net"]]
            # A null sender is told nothing, so what failed stays and is listed.
            failed = patiently(relay.queue, 10, "the failed message in the queue")[0]
            states = {each["address"]: each["state"] for each in failed["recipients"]}
            assert states == {"now@example.net": "delivered", "later@example.net": "delivered",
                              "never@example.net": "failed"}
            assert "550 5.1.1 no such user" in relay.ctl("queue")
            failure, = relay.records("failure")
            assert failure["recipient"] == "never@example.net"
            assert failure["class"] == "invalid_recipient"
            deferrals = [record["recipient"] for record in relay.records("deferral")]
            assert deferrals == ["later@example.net"] * 2


def test_slow_answers_are_waited_for_as_told_and_no_longer(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        sink.faults.add("end:1:delay:3")
        with relay_to(sink, tmp_path, data_end_timeout="500ms") as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            record = patiently(lambda: relay.records("deferral"), 10, "the deferral")[0]
            assert "timed out while sending end of data" in record["reply"]
            arrived(sink, 1)


def test_an_envelope_of_odd_and_large_values_outlives_a_kill_as_it_was_Case045(tmp_path):
    sender = '"a\\\\b\\\"c {}[]:;,|%0a$(x)"@example.com'
    recipients = [f'"{number} \\\\ , ; : = \\\""@example.net' for number in range(100)]
    wanted = "ORCPT=rfc822;" + "x+5C" * 110  # as it came, in xtext
    with RawSink(tmp_path / "sink", extensions=(*EXTENSIONS, "DSN")) as sink:
        sink.faults.add("connect:*:reply:421 4.3.2 not now")
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                client.send(sender, recipients, mail="ENVID=" + "e+2B" * 25, rcpt=wanted)
            relay.kill()
            sink.faults.clear()
            relay.start()
            message = arrived(sink, 1)[0]
        assert f"<{sender}>" in message.entry["mail"] and "ENVID=" + "e+2B" * 25 in message.entry["mail"]
        assert [each.partition("<")[2].rpartition("> ")[0] for each in message.entry["rcpt"]] == recipients
        assert all(wanted in each for each in message.entry["rcpt"])


def test_many_messages_arrive_once_each(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        for _ in range(5):
            with Client(relay.smtp_port) as client:
                for number in range(40):
                    client.send(recipients=(f"r{number}@example.net",))
        messages = arrived(sink, 200)
        patiently(lambda: relay.metric("queue_messages") == 0, 10, "the queue is empty")
        assert len(messages) == len(sink.store.messages()) == 200
        assert relay.metric('messages_settled_total{result="delivered"}') == 200


def test_a_next_hop_that_swallows_everything_is_given_up_in_time(tmp_path):
    """Case 123."""
    with BlackHole() as port:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{port}", connect_timeout="500ms") as relay:
            with Client(relay.smtp_port) as client:
                client.send()
            failure = patiently(lambda: relay.records("hop_failure"), 10, "the failure")[0]
            assert "timed out" in failure["error"], failure
            assert relay.metric("queue_messages") == 1


def takes_no_content(listening, over):
    """Answers a dialogue up to 354, and reads no octet of what follows."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rb") as commands:
        connection.sendall(b"220 sink.test\r\n")
        for line in commands:
            connection.sendall(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 OK\r\n")
            if line.startswith(b"DATA"):
                break
        over.wait()


def test_a_next_hop_that_takes_no_more_content_is_given_up_in_time_Case123(tmp_path):
    """Its window is closed: what is sent waits in the relay's kernel, then in the relay."""
    over = threading.Event()
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        threading.Thread(target=takes_no_content, args=(listening, over), daemon=True).start()
        with Relay(tmp_path, smarthost=f"127.0.0.1:{listening.getsockname()[1]}", data_block_timeout="1s",
                   retry_initial_delay="1h", retry_max_delay="1h") as relay:
            with Client(relay.smtp_port) as client:
                client.send(content=b"Subject: x\r\n\r\n" + b"a line that is neither long nor short\r\n" * 300_000)
            begun = time.monotonic()
            record = patiently(lambda: relay.records("deferral"), 7, "the deferral, while the next hop still holds on")[0]
            assert "timed out while sending content" in record["reply"], record
            assert time.monotonic() - begun > 0.5
            assert relay.metric("queue_messages") == 1
        over.set()


def test_an_unresolvable_smarthost_holds_mail(tmp_path):
    with Relay(tmp_path, smarthost="no-such-host.invalid:25") as relay:
        with Client(relay.smtp_port) as client:
            client.send()
        failure = patiently(lambda: relay.records("hop_failure"), 40, "the failure")[0]
        assert "no-such-host.invalid" in failure["error"]
        assert relay.metric("queue_messages") == 1
