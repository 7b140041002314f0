"""Rules on mail that comes in: who is refused, what waits for a person, and where mail goes instead."""

import json
import subprocess

import pytest
from raw_sink import RawSink
from relay import BIN, Client, Relay, arrived, patiently


def smarthost(name, port, **fields):
    return {"name": name, "host": "127.0.0.1", "port": port, "tls": "none", "auth": "none", **fields}


def subject(text):
    return b"Subject: " + text + b"\r\n\r\nbody\r\n"


@pytest.fixture
def sinks(tmp_path):
    with RawSink(tmp_path / "one") as one, RawSink(tmp_path / "two") as two:
        yield one, two


@pytest.fixture
def relay_with(tmp_path, sinks):
    """Makes a relay with rules in its settings file; all goes to the first sink, and `other` is the second."""
    one, two = sinks
    file = tmp_path / "relay.json"
    hosts = [smarthost("all", one.port), smarthost("other", two.port, recipient_domains=["nobody.test"])]

    def make(*rules):
        file.write_text(json.dumps({"policies": rules}))
        return Relay(tmp_path, smarthosts=json.dumps(hosts)).start(arguments=("--config", file))
    return make


def settled(relay):
    patiently(relay.is_empty, 20, "the queue is empty")


def test_refusals_come_as_soon_as_they_are_certain(relay_with, sinks):
    rules = [
        {"name": "spoofed", "senders": ["*.bank.test"], "action": "reject", "reply": "553 5.7.1 Not from here"},
        {"name": "closed", "recipients": ["closed.test"], "action": "reject"},
        {"name": "later", "recipients": ["later@*"], "action": "defer"},
        {"name": "invoices", "header": "Subject", "header_value": "*invoice*", "action": "reject"},
        {"name": "large", "larger_than": "100k", "action": "reject", "reply": "552 5.3.4 Too large for here"},
    ]
    with relay_with(*rules) as relay, Client(relay.smtp_port) as client:
        assert client.say("MAIL FROM:<a@x.bank.test>") == "553 5.7.1 Not from here"
        client.say("MAIL FROM:<a@example.com>", 250)
        assert client.say("RCPT TO:<a@closed.test>") == "550 5.7.1 Refused by policy"
        assert client.say("RCPT TO:<later@example.net>") == "451 4.7.1 Deferred by policy"
        client.say("RCPT TO:<fine@example.net>", 250)
        client.say("DATA", 354)
        client.write(subject(b"your Invoice") + b".\r\n")
        assert client.reply() == "550 5.7.1 Refused by policy"
        client.begin("a@example.com", ["b@example.net"])
        client.write(subject(b"x") + b"0123456789\r\n" * 20_000 + b".\r\n")
        assert client.reply() == "552 5.3.4 Too large for here"
        client.send(recipients=("b@example.net",), content=subject(b"hello"))
        message, = arrived(sinks[0], 1)
        assert message.recipients == ["b@example.net"]
        settled(relay)
        assert [record["rule"] for record in relay.records("policy")] == ["spoofed", "closed", "later", "invoices", "large"]
        assert relay.metric('recipients_refused_total{reason="rule"}') == 4


def test_nobody_is_told_by_a_report_of_what_rules_refuse_Case072(relay_with, sinks):
    rules = [
        {"name": "closed", "recipients": ["closed.test"], "action": "reject"},
        {"name": "gone", "recipients": ["gone.test"], "action": "discard"},
        {"name": "spam", "header": "Subject", "header_value": "*spam*", "action": "reject"},
    ]
    with relay_with(*rules) as relay, Client(relay.smtp_port) as client:
        for recipient, answer in [("a@closed.test", "550 5.7.1 "), ("a@gone.test", "250 2.1.5 "), ("b@example.net", "250 2.1.5 ")]:
            client.say("MAIL FROM:<victim@example.org> RET=FULL", 250)
            assert client.say(f"RCPT TO:<{recipient}> NOTIFY=SUCCESS,FAILURE,DELAY").startswith(answer)
            if answer.startswith("250"):
                client.say("DATA", 354)
                client.write(subject(b"some spam") + b".\r\n")
                assert client.reply().startswith("250 2.0.0 OK" if "gone" in recipient else "550 5.7.1 ")
            client.say("RSET", 250)
        client.send(recipients=("c@example.net",))
        message, = arrived(sinks[0], 1)
        assert message.recipients == ["c@example.net"]
        settled(relay)
        assert relay.metric("reports_total") == 0
        assert not relay.records("report")
        assert len(sinks[0].store.messages()) == 1


def test_recipients_of_one_message_fare_as_the_rules_say(relay_with, sinks):
    one, two = sinks
    rules = [
        {"name": "gone", "recipients": ["gone@*"], "action": "discard"},
        {"name": "test", "recipients": ["real@*"], "action": "redirect", "redirect_to": "test@example.org"},
        {"name": "by", "recipients": ["partner.test"], "action": "route", "smarthost": "other"},
        {"name": "held", "recipients": ["held@*"], "action": "hold"},
    ]
    with relay_with(*rules) as relay:
        with Client(relay.smtp_port) as client:
            queue_id = client.send(recipients=("gone@a.test", "real@a.test", "x@partner.test", "held@a.test", "y@a.test"))
        assert [message.recipients for message in arrived(one, 1)] == [["test@example.org", "y@a.test"]]
        assert [message.recipients for message in arrived(two, 1)] == [["x@partner.test"]]
        patiently(lambda: [entry["state"] for entry in relay.queue()] == ["held"], 10, "one place is left, on hold")
        records = {record["rule"]: record for record in relay.records("policy")}
        assert records["gone"]["recipients"] == ["gone@a.test"]
        assert {record["queue_id"] for record in records.values()} == {queue_id}
        assert "held" in relay.ctl("queue", "show", queue_id)
        relay.ctl("queue", "release", queue_id)
        arrived(one, 1, to="held@a.test")
        settled(relay)


def test_what_is_held_and_where_it_goes_outlive_a_kill(relay_with, sinks):
    rules = [{"name": "by", "recipients": ["a@*"], "action": "route", "smarthost": "other"},
             {"name": "held", "action": "hold"}]
    with relay_with(*rules) as relay:
        with Client(relay.smtp_port) as client:
            client.send(recipients=("held@b.test",))
        relay.kill()
        relay.start(arguments=("--config", relay.folder / "relay.json"))
        assert [entry["state"] for entry in relay.queue()] == ["held"]
        with Client(relay.smtp_port) as client:
            client.send(recipients=("a@b.test",))
        arrived(sinks[1], 1, to="a@b.test")


def test_all_may_be_thrown_away_and_the_client_hears_ok(relay_with, sinks):
    with relay_with({"name": "gone", "action": "discard"}) as relay:
        with Client(relay.smtp_port) as client:
            client.begin("a@example.com", ["b@example.net"])
            client.write(subject(b"x") + b".\r\n")
            assert client.reply() == "250 2.0.0 OK"
        record, = relay.records("policy")
        assert (record["action"], record["sender"], record["recipients"]) == ("discard", "a@example.com", ["b@example.net"])
        assert relay.metric("queue_messages") == 0
        assert sinks[0].store.messages() == []


def test_a_client_is_greeted_with_its_refusal(relay_with):
    with relay_with({"name": "out", "clients": ["127.0.0.0/8"], "action": "reject"}) as relay:
        with Client(relay.smtp_port, greet=None) as client:
            assert client.banner == "554 5.7.1 relay.test Refused by policy"


def test_changed_rules_are_in_force_with_the_next_transaction(relay_with):
    with relay_with() as relay, Client(relay.smtp_port) as client:
        client.send()
        rules = [{"name": "out", "senders": ["example.com"], "action": "reject"}]
        (relay.folder / "relay.json").write_text(json.dumps({"policies": rules}))

        def is_refused():
            answer = client.say("MAIL FROM:<a@example.com>")
            client.say("RSET", 250)
            return answer == "550 5.7.1 Refused by policy"
        patiently(is_refused, 20, "the rule is in force")


def test_a_limit_defers_and_counts_what_was_accepted_alone(relay_with):
    rules = [{"name": "slowly", "senders": ["fast@*"], "action": "limit", "limit_rate": "2/1h", "limit_key": "sender"},
             {"name": "few", "senders": ["a@*"], "action": "limit", "limit_rate": "2/1h", "limit_unit": "recipients",
              "reply": "450 4.7.1 Not so many"}]
    with relay_with(*rules) as relay, Client(relay.smtp_port) as client:
        for _ in range(2):
            client.send("fast@example.com")
        assert client.say("MAIL FROM:<fast@example.com>") == (
            "451 4.7.1 Limit slowly of 2 messages in 1h for each sender is exceeded: keep the mail and try again later")
        client.send("faster@example.com")
        client.say("MAIL FROM:<a@example.com>", 250)
        for number in range(2):
            client.say(f"RCPT TO:<{number}@example.net>", 250)
        assert client.say("RCPT TO:<2@example.net>") == "450 4.7.1 Not so many"
        client.say("RSET", 250)
        client.send("a@example.com", ("3@example.net", "4@example.net"))
        assert [record["action"] for record in relay.records("policy")] == ["limit", "limit"]


def test_a_limit_behind_a_rule_on_the_header_is_known_at_the_end(relay_with):
    rules = [{"name": "never", "header": "Subject", "header_value": "bad", "action": "reject"},
             {"name": "slowly", "action": "limit", "limit_rate": "1/1h"}]
    with relay_with(*rules) as relay, Client(relay.smtp_port) as client:
        for text, answer in [(b"bad", "550 5.7.1"), (b"good", "250 2.0.0"), (b"good", "451 4.7.1")]:
            client.begin("a@example.com", ["b@example.net"])
            client.write(subject(text) + b".\r\n")
            assert client.reply().startswith(answer)


def fields_of(message):
    return message.content.split(b"\r\n\r\n")[0].decode()


EDITS = [
    {"name": "tag", "action": "add_header", "field_name": "X-Relayed", "field_value": "yes: really"},
    {"name": "secret", "action": "remove_header", "field_name": "X-Originating-IP"},
    {"name": "sender", "senders": ["app@*"], "action": "rewrite_sender", "new_sender": "noreply@example.org", "new_from": "on"},
    {"name": "archive", "action": "copy", "copy_to": "archive@example.org"},
]
HEADER = (b"X-Originating-IP: 10.0.0.1\r\nFrom: App <app@example.com>\r\nx-originating-ip: 10.0.0.2,\r\n 10.0.0.3\r\n"
          b"Subject: x\r\n\r\n")


def check_edited(message, recipients, body):
    assert (message.sender, message.recipients) == ("noreply@example.org", recipients)
    fields = fields_of(message)
    assert fields.startswith("Received: ")
    assert fields.endswith("\r\nX-Relayed: yes: really\r\nFrom: <noreply@example.org>\r\nSubject: x")
    assert "10.0.0.2" not in fields and "app@example.com" not in fields.split("X-Relayed")[1]
    assert message.content.split(b"\r\n\r\n", 1)[1] == body
    # What MAIL said of the size is what came.
    assert f"SIZE={len(message.content)}" in message.entry["mail"]


def test_what_goes_on_is_done_to_the_whole_message(relay_with, sinks):
    with relay_with(*EDITS) as relay, Client(relay.smtp_port) as client:
        for body in (b"X-Originating-IP: body\r\n", b"0123456789abcde\r\n" * 100_000):
            client.send("app@example.com", ("a@example.net",), HEADER + body)
            message, = arrived(sinks[0], 1)
            check_edited(message, ["a@example.net", "archive@example.org"], body)
            settled(relay)
            sinks[0].store.clear()
        first = relay.records("policy")[:4]
        assert [record["rule"] for record in first] == ["tag", "secret", "sender", "archive"]
        assert (first[2]["sender"], first[2]["new_sender"]) == ("app@example.com", "noreply@example.org")
        assert first[3]["copy_to"] == "archive@example.org"


def test_what_goes_on_outlives_a_kill(relay_with, sinks):
    rules = [*EDITS, {"name": "held", "action": "hold"}]
    with relay_with(*rules) as relay:
        with Client(relay.smtp_port) as client:
            queue_id = client.send("app@example.com", ("a@example.net",), HEADER + b"body\r\n")
        relay.kill()
        relay.start(arguments=("--config", relay.folder / "relay.json"))
        relay.ctl("queue", "release", queue_id)
        # The copy may come twice: it was handed over before the kill, and that was not written down.
        patiently(lambda: {name for message in sinks[0].store.messages() for name in message.recipients}
                  == {"a@example.net", "archive@example.org"}, 20, "the mail and its copy are sent")
        for message in sinks[0].store.messages():
            check_edited(message, message.recipients, b"body\r\n")
        settled(relay)


def test_a_report_goes_to_the_new_sender_and_tells_nothing_of_the_copy(relay_with, sinks):
    with relay_with(*EDITS) as relay, Client(relay.smtp_port) as client:
        client.send("app@example.com", ("a@example.net",), HEADER + b"body\r\n", rcpt="NOTIFY=SUCCESS")
        arrived(sinks[0], 1, to="a@example.net")
        patiently(lambda: any(each.recipients == ["noreply@example.org"] for each in sinks[0].store.messages()), 20,
                  "the report of the delivery arrives")
        report = next(each for each in sinks[0].store.messages() if each.recipients == ["noreply@example.org"])
        assert b"archive@example.org" not in report.content
        assert b"X-Originating-IP" not in report.content


def test_priority_is_the_lane_of_the_queue(relay_with, sinks):
    rules = [{"name": "later", "senders": ["news@*"], "action": "set_priority", "priority": "bulk"},
             {"name": "held", "action": "hold"}]
    with relay_with(*rules) as relay, Client(relay.smtp_port) as client:
        assert "bulk" in relay.ctl("queue", "show", client.send("news@example.com"))


def with_bindings(relay, *bindings):
    (relay.folder / "relay.json").write_text(json.dumps({"sender_bindings": bindings}))


def test_senders_are_bound_to_clients(relay_with, sinks):
    own = {"name": "own", "clients": ["127.0.0.0/8"], "senders": ["example.com"], "header_from": "on"}
    with relay_with() as relay, Client(relay.smtp_port) as client:
        with_bindings(relay, own)

        def answer(sender):
            said = client.say(f"MAIL FROM:<{sender}>")
            client.say("RSET", 250)
            return said
        patiently(lambda: answer("a@bank.test").startswith("553 5.7.1 This sender is not for 127.0.0.1"), 20, "it is bound")
        assert answer("a@example.com").startswith("250")
        assert answer("").startswith("250"), "reports have the null sender"
        client.begin("a@example.com", ["b@example.net"])
        client.write(b"From: Boss <boss@bank.test>\r\n\r\nbody\r\n.\r\n")
        assert client.reply().startswith("550 5.7.1 From in the header is not for 127.0.0.1")
        client.send("a@example.com", content=b"From: <a@example.com>\r\n\r\nbody\r\n")
        assert {record["reply"][:9] for record in relay.records("rejection")} == {"553 5.7.1", "550 5.7.1"}


def explain(relay, *arguments, **environment):
    done = subprocess.run([str(BIN / "relayctl"), "explain", "--settings", str(relay.folder / "relay.json"), *arguments],
                          capture_output=True, text=True, timeout=30, env=relay.environment() | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain_says_what_the_relay_does_and_would_have_done(relay_with):
    rules = [{"name": "closed", "recipients": ["closed.test"], "action": "reject"},
             {"name": "held", "senders": ["app@*"], "action": "hold"}]
    with relay_with() as relay:
        with Client(relay.smtp_port) as client:
            queue_id = client.send("app@example.com", ("a@closed.test", "b@example.net"))
        settled(relay)
        relay.records()
        (relay.folder / "relay.json").write_text(json.dumps({"policies": rules}))
        said = explain(relay, "--client", "127.0.0.1", "--from", "app@example.com", "--to", "b@example.net")
        assert "closed                  reject    no: recipients does not match" in said
        assert "=> on hold (rule held); released it goes by smarthost/all" in said
        replayed = explain(relay, "--replay", str(relay.log_file))
        assert f"{queue_id} 127.0.0.1 <app@example.com> <a@closed.test>: refused (rule closed)" in replayed
        assert "messages: 1, recipients: 2" in replayed
        assert "no: recipients does not match" not in replayed
        said = explain(relay, "--replay", str(relay.log_file), "--verbose")
        assert f"{queue_id} 127.0.0.1 <app@example.com> <b@example.net>:\n" in said
        assert "  closed                  reject    no: recipients does not match\n" in said
        assert "  => on hold (rule held); released it goes by smarthost/all\n" in said


def test_a_replay_judges_whom_the_client_named(relay_with):
    rules = [{"name": "rename", "action": "rewrite_sender", "new_sender": "noreply@example.com"},
             {"name": "archive", "action": "copy", "copy_to": "archive@example.com"},
             {"name": "gone", "recipients": ["gone.test"], "action": "discard"},
             {"name": "test", "recipients": ["closed.test"], "action": "redirect", "redirect_to": "t@example.org"}]
    with relay_with(*rules) as relay:
        with Client(relay.smtp_port) as client:
            queue_id = client.send("app@example.com", ("a@closed.test", "b@gone.test"))
        settled(relay)
        record, = relay.records("reception")
        assert (record["sender"], record["recipients"]) == ("noreply@example.com", ["t@example.org", "archive@example.com"])
        assert (record["original_sender"], record["original_recipients"]) == \
            ("app@example.com", ["a@closed.test", "b@gone.test"])
        (relay.folder / "relay.json").write_text(json.dumps({"policies": [
            {"name": "closed", "senders": ["app@*"], "recipients": ["closed.test"], "action": "reject"}]}))
        said = explain(relay, "--replay", str(relay.log_file))
        assert said.startswith(f"{queue_id} 127.0.0.1 <app@example.com> <a@closed.test>: refused (rule closed)")
        assert "messages: 1, recipients: 2\n" in said


def test_a_replay_says_who_may_not_relay_any_more_and_what_a_mode_keeps_in(relay_with):
    with relay_with() as relay:
        with Client(relay.smtp_port) as client:
            client.send("app@example.com", ("b@example.net",))
        settled(relay)
        record, = relay.records("reception")
        assert not {"original_sender", "original_recipients"} & set(record), "nobody was put in for another"
        file = relay.folder / "log"
        file.write_text(json.dumps({**record, "client": "10.0.0.7"}) + "\n")
        (relay.folder / "relay.json").write_text("{}")
        said = explain(relay, "--replay", str(file), SMTP_RELAY_ALLOWED_NETWORKS="192.0.2.0/24")
        assert "<b@example.net>: refused whatever rules say: 550 5.7.1 Relaying denied" in said
        (relay.folder / "relay.json").write_text(json.dumps({"mode": "capture"}))
        said = explain(relay, "--replay", str(relay.log_file))
        assert "; captured: mode capture lets no mail out\n" in said and "  1 are kept in by the mode\n" in said
        (relay.folder / "relay.json").write_text(json.dumps({"sender_bindings": [
            {"name": "own", "users": ["billing"], "senders": ["example.com"]}]}))
        assert "refused whatever rules say: 553 5.7.1" in explain(relay, "--replay", str(relay.log_file))
