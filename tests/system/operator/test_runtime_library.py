"""The example operator of docs/operator-runtime.md against a real API server: the library serves others than us."""

import contextlib
import os
import pathlib
import signal

import pytest
from processes import ROOT, Operator, Process
from waiting import wait_until
from world import CORE, EVENTS, NAMESPACE

PROGRAM = pathlib.Path(os.environ.get("BIN", ROOT / "build/bin")) / "greeter"
GREETING = f"{CORE}/configmaps/wish-greeting"


class Greeter(Operator):
    def __init__(self, name, kubeconfig, folder):
        super().__init__(name, kubeconfig, folder)
        self.metrics_port = self.health_port
        self.command = [str(PROGRAM), str(kubeconfig), NAMESPACE, str(self.health_port)]

    def is_leading(self):
        return self.metric('leader_election_master_status{name="greeter"}') == 1


@pytest.fixture
def greeter(mail):
    """A function that starts one more of them."""
    with contextlib.ExitStack() as ends:
        def start(name):
            one = Greeter(name, mail.plane.kubeconfig("admin"), mail.folder)
            ends.callback(lambda: one.process and Process.kill(one))
            return one.start()
        yield start


def wish(mail, name):
    return mail.api.create(f"{CORE}/configmaps", {
        "metadata": {"name": "wish", "labels": {"example.com/greets": "yes"}}, "data": {"name": name}})


def text(mail):
    found = mail.api.find(GREETING)
    return found and found["data"].get("text")


def test_a_child_is_made_and_kept(mail, greeter):
    greeter("greeter-a")
    wish(mail, "Ada")
    wait_until(lambda: text(mail) == "Hello, Ada!", 10, "the greeting")
    owner = mail.api.get(GREETING)["metadata"]["ownerReferences"][0]
    assert owner["name"] == "wish" and owner["controller"]
    mail.api.patch(GREETING, {"data": {"text": "Go away"}})
    wait_until(lambda: text(mail) == "Hello, Ada!", 5, "an edit goes back")
    mail.api.request("DELETE", GREETING)
    wait_until(lambda: text(mail) == "Hello, Ada!", 5, "a deleted one comes back")
    wait_until(lambda: any(event["reason"] == "Created" and event["reportingController"] == "example.com/greeter"
                           for event in mail.api.get(EVENTS)["items"]), 10, "an Event tells of it")


def test_a_standby_takes_over_from_a_leader_that_stops(mail, greeter):
    leader = greeter("greeter-a")
    wait_until(leader.is_leading, 10, "the first leads")
    standby = greeter("greeter-b")
    assert not standby.is_leading()
    leader.signal(signal.SIGTERM)
    wait_until(standby.is_leading, 5, "the second takes over")
    assert leader.process.wait(10) == 0
    wish(mail, "Grace")
    wait_until(lambda: text(mail) == "Hello, Grace!", 10, "it works")
