"""Logs without local parts: nothing of an address that a session used stands in them, and the key brings it back."""

import subprocess

from raw_sink import RawSink
from relay import BIN, Client, Relay, patiently

SENDER = "canary-sender"
RECIPIENTS = ("canary.one", "canary+two", '"canary three"', "canary_four")
KEY = "a key of sixteen octets and more"


def send_all(relay, sink):
    """A delivery, a failure, a deferral and a refusal, each with peers' words that quote the address."""
    sink.faults.add("rcpt=canary+two:*:reply:550 5.1.1 <canary+two@example.net>: user canary+two unknown")
    sink.faults.add("rcpt=canary_four:*:reply:450 4.2.2 mailbox of CANARY_FOUR is full")
    sink.faults.add('rcpt="canary three":*:reply:550 5.1.1 "canary three"@example.net is not here')
    with Client(relay.smtp_port) as client:
        client.send(f"{SENDER}@example.com", [f"{local}@example.net" for local in RECIPIENTS])
        client.say(f"MAIL FROM:<{SENDER}@example.com>", 250)
        client.say("RCPT TO:<canary.refused@[example>", 5)
        client.say("RSET", 250)
    for event in ("reception", "delivery", "failure", "deferral", "report"):
        patiently(lambda event=event: relay.records(event), 20, f"a record {event}")


def reveal(*arguments, text=None):
    done = subprocess.run([str(BIN / "relayctl"), "reveal", *map(str, arguments)], input=text, capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_local_part_stands_in_a_redacted_log(tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", log_addresses="redacted",
                   log_redaction_key=key) as relay:
            send_all(relay, sink)
            plain = relay.queue()
        log = relay.log_file.read_text()
        assert "canary" not in log.lower()
        assert KEY not in log
        assert "example.net" in log
        reception = relay.records("reception")[0]
        assert len(set(reception["recipients"])) == len(RECIPIENTS)
        delivered = relay.records("delivery")[0]["recipient"]
        assert delivered in reception["recipients"], "one can search for an address by its token"
        assert "canary_four@example.net" in str(plain), "who holds the admin token sees addresses"

        revealed = reveal("--key", key, text=log)
        for local in ("canary.one@example.net", "user canary+two unknown", "mailbox of CANARY_FOUR is full",
                      r'\"canary three\"@example.net is not here', f"{SENDER}@example.com"):
            assert local in revealed, local
        assert reveal("--key", key, reception["sender"]).strip() == f"{SENDER}@example.com"


def test_without_a_key_local_parts_are_cut_out(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", log_addresses="redacted") as relay:
            send_all(relay, sink)
        assert "canary" not in relay.log_file.read_text().lower()
        assert relay.records("reception")[0]["sender"] == "~@example.com"


def test_a_trust_anchor_that_is_not_there_stops_the_start_with_its_path(tmp_path):
    missing = tmp_path / "corp.ds"
    relay = Relay(tmp_path, smarthost="127.0.0.1:1", dns_trust_anchors=missing)
    relay.start(wait=False)
    assert relay.process.wait(30) == 1
    assert str(missing) in relay.records("start_failed")[0]["error"]
