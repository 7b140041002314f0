"""spec.policies: rules are in force without new pods, and each recipient fares as they say."""

import json

import cluster
import estate
from cluster import ADDRESS
from estate import SINK, TO_STANDBY, TO_SMARTHOST
from waiting import wait_until

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
