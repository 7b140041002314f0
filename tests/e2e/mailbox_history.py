"""What clients of the local cluster sent, and what lies in the smarthost's mailbox, for the checker in custody.py."""

import contextlib
import json

import cluster
import estate
import reports
import smarthost
from custody import Copy, History, Report, digest
from mail_history import DOMAIN, Load
from namespaces import in_network
from relay import Client
from waiting import wait_until

CLIENTS = 2  # at each door
PAUSE = 0.4  # seconds, about, between two messages of one: Exim starts a process for each
SOME = 8


class HostLoad(Load):
    """Clients on the host `client`, one of whose recipients in twenty or so the smarthost refuses."""

    def connect(self):
        with in_network(cluster.network_of("client")):
            return Client(self.port, host=self.host)

    def refused(self, id):
        return f"refused@{id}.{DOMAIN}"


class Doors:
    """Clients that send without a pause through the load balancer, and to the port of each node. `name` begins their ids."""

    def __init__(self, name):
        hosts = {"lb": estate.BALANCER} | {node: cluster.ADDRESS[node] for node in cluster.NODES}
        self._loads = {door: HostLoad(25, seed=1, host=host, name=f"{name}-{door}-", clients=CLIENTS, pause=PAUSE)
                       for door, host in hosts.items()}

    def go_on(self, but=(), seconds=60):
        """Mail is taken at every door, `but` at some."""
        loads = [load for door, load in self._loads.items() if door not in but]
        before = [load.acknowledged() for load in loads]
        wait_until(lambda: all(load.acknowledged() >= count + SOME for load, count in zip(loads, before)), seconds,
                   f"mail is taken at every door but {list(but)}")

    def sent(self):
        return [sent for load in self._loads.values() for sent in load.sent]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for load in self._loads.values():
                stack.enter_context(load)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()


def history(doors, **facts):
    """Of clients that have ended, while nothing moves: neither from the relays nor within the smarthost."""
    return History(doors.sent(), *arrivals(), queued=queued(), **facts)


def settle(seconds=180):
    """All mail is in the mailbox."""
    wait_until(lambda: not estate.waiting(), seconds, "nothing waits in the relays")
    wait_until(smarthost.is_empty, 60, "nothing waits in the smarthost")


def arrivals():
    """([Copy], [Report]) of our domain."""
    copies, found = [], []
    for delivery in smarthost.deliveries():
        if delivery.sender.endswith("@" + DOMAIN):
            copies.append(Copy(local_part(delivery.sender), (delivery.recipient,), digest(content_of(delivery.raw)), False))
        elif delivery.sender == "" and delivery.recipient.endswith("@" + DOMAIN):
            actions = reports.parse(delivery.raw).actions
            failed = tuple(name for name, action in actions.items() if action == "failed")
            found.append(Report(local_part(delivery.recipient), failed, False))
    return copies, found


def content_of(raw):
    """As it was sent: what relay and smarthost put in front ends before its first field, and a Maildir has bare LF."""
    return raw[raw.index(b"\nSubject: ") + 1:].replace(b"\n", b"\r\n")


def queued():
    """{id: recipients} that wait in the relays."""
    found = {}
    for pod in estate.pods().values():
        for message in json.loads(estate.ctl(pod, "queue", "--json", "--limit", "10000")):
            waiting = tuple(each["address"] for each in message["recipients"] if each["state"] == "waiting")
            if message["sender"].endswith("@" + DOMAIN):
                found[local_part(message["sender"])] = waiting
    return found


def local_part(address):
    return address.partition("@")[0]
