"""Mail that somebody holds stays until it is released, whatever happens to the other mail."""

import json

import cluster
import estate
from cluster import ADDRESS
from waiting import stays_true, wait_until


def states(pod):
    """{queue id: state} of what is in the queue."""
    return {each["queue_id"]: each["state"] for each in json.loads(estate.ctl(pod, "queue", "list", "--json"))}


def test_what_is_held_stays_while_other_mail_flows_and_goes_once_it_is_released():
    cluster.peer("stop", "smarthost")
    pod = estate.pods()["node1"]
    held, other = (estate.submit("a@example.com", "b@example.net", subject=subject, host=ADDRESS["node1"])
                   for subject in ("held", "other"))
    assert set(states(pod)) == {held, other}
    estate.ctl(pod, "queue", "hold", held, "--reason", "somebody asked")
    wait_until(lambda: states(pod)[held] == "held", 20, "what was in flight is held too")

    def seen():
        return states(pod), estate.subjects()
    cluster.peer("start", "smarthost")
    wait_until(lambda: seen() == ({held: "held"}, ["other"]), 30, "the other one arrives")
    stays_true(lambda: seen() == ({held: "held"}, ["other"]), 5, "it is held")

    assert "1 messages released" in estate.ctl(pod, "queue", "release", held)
    wait_until(lambda: seen() == ({}, ["other", "held"]), 30, "it arrives")
    record, = [each for each in estate.records(pod, "hold") if each["queue_id"] == held]
    assert record["reason"] == "somebody asked", record
