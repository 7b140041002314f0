"""spec.mode: a relay is switched to Capture under traffic and back; nothing leaves meanwhile, and nothing is lost."""

import json

import estate
from cluster import ADDRESS
from waiting import stays_true, wait_until


def captured(pod):
    return {each["queue_id"] for each in json.loads(estate.ctl(pod, "queue", "list", "--json")) if each.get("captured")}


def test_capture_keeps_all_mail_in_and_what_is_released_arrives():
    node = ADDRESS["node1"]
    before = estate.restarts(estate.pods())
    sent = {f"before {i}": estate.submit("app@example.com", "b@a.test", subject=f"before {i}", host=node) for i in range(5)}
    estate.put_in_force(mode="Capture")
    pod = estate.pods()["node1"]
    assert estate.restarts(estate.pods()) == before
    wait_until(lambda: "mode capture" in estate.ctl(pod, "status"), 30, "the mode is in force")
    kept = {estate.submit("app@example.com", "b@a.test", subject=f"kept {i}", host=node) for i in range(5)}
    wait_until(lambda: kept <= captured(pod), 30, "they are captured")
    stays_true(lambda: not any(subject.startswith("kept") for subject in estate.subjects()), 5, "none leaves")

    estate.put_in_force(mode="Deliver")
    wait_until(lambda: "mode capture" not in estate.ctl(pod, "status"), 30, "the mode is in force")
    after = "after"
    estate.submit("app@example.com", "b@a.test", subject=after, host=node)
    wait_until(lambda: after in estate.subjects(), 30, "new mail leaves")
    assert kept <= captured(pod), "what was captured waits for somebody"
    estate.ctl(pod, "queue", "release", "--state", "captured")
    wanted = {*sent, *(f"kept {i}" for i in range(5)), after}
    wait_until(lambda: wanted <= set(estate.subjects()), 60, "all of it arrives")
    wait_until(lambda: not captured(pod), 20, "nothing is left")
