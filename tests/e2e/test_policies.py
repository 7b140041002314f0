"""spec.policies: rules are in force without new pods, and each recipient fares as they say."""

import json

import cluster
import estate
import smarthost
from cluster import ADDRESS
from estate import SINK, TO_STANDBY, TO_SMARTHOST
from waiting import wait_until

ANSWERED = [
    {"name": "open", "match": {"recipients": ["open@closed.test"]}, "action": "Accept"},
    {"name": "closed", "match": {"recipients": ["closed.test"]}, "action": "Reject", "reply": "550 5.7.1 Closed"},
    {"name": "later", "match": {"recipients": ["later@*"]}, "action": "Defer"},
    {"name": "held", "match": {"header": {"name": "Subject", "value": "*secret*"}}, "action": "Hold"},
]


def test_a_client_hears_at_rcpt_what_rules_say_and_the_first_that_decides_is_the_last():
    estate.put_in_force(smarthosts=[TO_SMARTHOST], policies=ANSWERED)
    node = ADDRESS["node1"]
    said = estate.converse("client", node, "EHLO client.mail.test", "MAIL FROM:<app@example.com>", "RCPT TO:<x@closed.test>",
                           "RCPT TO:<later@a.test>", "RCPT TO:<open@closed.test>")
    assert said[3:5] == ["550 5.7.1 Closed", "451 4.7.1 Deferred by policy"]
    assert said[5].startswith("250 2.1.5 ")
    # Neither the rule on its domain nor the one on its subject is asked any more.
    estate.submit("app@example.com", "open@closed.test", subject="an open secret", host=node)
    wait_until(lambda: estate.envelopes() == [("app@example.com", "open@closed.test")], 30, "what is accepted arrives")


RULES = [
    {"name": "closed", "match": {"recipients": ["closed.test"]}, "action": "Reject", "reply": "550 5.7.1 Closed"},
    {"name": "gone", "match": {"recipients": ["gone@*"]}, "action": "Discard"},
    {"name": "test", "match": {"senders": ["app@example.com"], "recipients": ["real@*"]}, "action": "Redirect",
     "redirectTo": "test@example.org"},
    {"name": "by", "match": {"recipients": ["partner.test"]}, "action": "Route", "smarthost": "standby"},
    {"name": "held", "match": {"header": {"name": "Subject", "value": "*secret*"}}, "action": "Hold"},
]


def test_rules_are_in_force_without_new_pods_and_each_recipient_fares_as_they_say():
    before = estate.restarts(estate.pods())
    # Only what a rule gives it: nobody has that domain.
    standby = {**TO_STANDBY, "recipientDomains": ["nobody.test"]}
    estate.put_in_force(smarthosts=[TO_SMARTHOST, standby], policies=RULES)
    assert estate.restarts(estate.pods()) == before
    node = ADDRESS["node1"]
    estate.submit("app@example.com", "gone@a.test", "real@a.test", "x@partner.test", subject="one", host=node)
    held = estate.submit("app@example.com", "b@a.test", subject="a secret", host=node)
    wait_until(lambda: estate.envelopes() == [("app@example.com", "test@example.org")], 30, "the redirected copy arrives")
    wait_until(lambda: [each.recipients for each in SINK.messages() if each.accepted] == [["x@partner.test"]], 30,
               "the partner's arrives by the standby")
    pod = estate.pods()["node1"]

    def states():
        return {each["queue_id"]: each["state"] for each in json.loads(estate.ctl(pod, "queue", "list", "--json"))}
    wait_until(lambda: states() == {held: "held"}, 20, "the other one is held")
    said = estate.ctl(pod, "explain", "--client", cluster.ADDRESS["client"], "--from", "a@example.com", "--to", "x@closed.test")
    assert "=> refused (rule closed): 550 5.7.1 Closed" in said
    estate.ctl(pod, "queue", "release", held)
    wait_until(lambda: "a secret" in estate.subjects(), 30, "it arrives once it is released")


GOING_ON = [
    {"name": "tag", "match": {"listeners": ["smtp"], "authenticated": False}, "action": "AddHeader",
     "field": {"name": "X-Relayed", "value": "yes"}},
    {"name": "secret", "action": "RemoveHeader", "field": {"name": "X-Secret"}},
    {"name": "sender", "match": {"senders": ["app@example.com"]}, "action": "RewriteSender", "newSender": "noreply@example.org"},
    {"name": "later", "match": {"senders": ["news@*"]}, "action": "SetPriority", "priority": "Bulk"},
    {"name": "archive", "match": {"recipients": ["real@*"]}, "action": "Copy", "copyTo": "archive@example.org"},
    {"name": "slowly", "match": {"senders": ["fast@*"]}, "action": "Limit", "limit": {"rate": "1/1h", "key": "Sender"}},
    {"name": "kept", "match": {"senders": ["news@*", "plain@*"]}, "action": "Hold"},
]


def answer_to(sender, host, subject):
    said = estate.say(host, 25, "EHLO client.mail.test", f"MAIL FROM:<{sender}>", "RCPT TO:<real@a.test>", "DATA",
                      f"From: {sender}", "X-Secret: one", f"Subject: {subject}", "", "Message.", ".", "QUIT")
    return said.splitlines()


def test_rules_that_go_on_change_the_mail_and_limits_defer_it():
    estate.put_in_force(smarthosts=[TO_SMARTHOST], policies=GOING_ON)
    node = ADDRESS["node1"]
    assert any(line.startswith("250 2.0.0 OK queued") for line in answer_to("app@example.com", node, "edited"))
    wait_until(lambda: sorted(estate.envelopes()) == [("noreply@example.org", "archive@example.org"),
                                                      ("noreply@example.org", "real@a.test")], 30, "mail and copy arrive")
    for copy in smarthost.deliveries():
        assert copy.message["X-Relayed"] == "yes"
        assert copy.message["X-Secret"] is None
        assert copy.message["From"] == "app@example.com"
    assert any(line.startswith("250 2.0.0 OK queued") for line in answer_to("fast@example.com", node, "first"))
    assert any(line.startswith("451 4.7.1 Limit slowly of 1 messages in 1h") for line in
               answer_to("fast@example.com", node, "second"))


def test_a_priority_is_the_lane_that_mail_waits_in():
    estate.put_in_force(smarthosts=[TO_SMARTHOST], policies=GOING_ON)
    lanes = {estate.submit(f"{name}@example.com", "b@a.test", subject=name, host=ADDRESS["node1"]): lane
             for name, lane in [("news", "bulk"), ("plain", "normal")]}
    pod = estate.pods()["node1"]

    def listed():
        return {each["queue_id"]: (each["state"], each["lane"]) for each in json.loads(estate.ctl(pod, "queue", "list", "--json"))}
    wait_until(lambda: listed() == {queue_id: ("held", lane) for queue_id, lane in lanes.items()}, 20,
               "both are held, each in its lane")
    for queue_id in lanes:
        estate.ctl(pod, "queue", "release", queue_id)
    wait_until(lambda: sorted(estate.subjects()) == ["news", "plain"], 30, "they arrive once they are released")


def test_senders_are_bound_to_clients_by_the_resource():
    access = estate.resource()["spec"]["access"]
    own = {"name": "own", "clients": [cluster.ADDRESS["client"]], "senders": ["example.com"], "headerFrom": True}
    estate.put_in_force(smarthosts=[TO_SMARTHOST], access={**access, "senderBindings": [own]})
    node = ADDRESS["node1"]
    assert any(line.startswith("553 5.7.1 This sender is not for ") for line in answer_to("a@bank.test", node, "no"))
    assert any(line.startswith("250 2.0.0 OK queued") for line in answer_to("a@example.com", node, "bound"))
    wait_until(lambda: "bound" in estate.subjects(), 30, "it arrives")
