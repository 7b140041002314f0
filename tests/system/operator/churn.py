"""What may happen to a namespace with relays and to the servers behind it, again and again, in random order."""

import contextlib
import datetime
import time

from control_plane import ApiError
from processes import Proxy
from waiting import wait_until
from world import CHILDREN, CORE, DAEMON_SETS, EVENTS, RELAYS

BASE = 5  # relays that stay
MOST = 15  # and so many more at a time
# A lease that runs out soon, so that the leader changes often.
ELECTION = ("--lease-duration=5s", "--renew-deadline=4s", "--retry-period=500ms", "--qps=200", "--burst=200")


class Churn:
    """Two operators of a namespace, each behind a proxy of its own; both live as long as this does."""

    def __init__(self, mail, random):
        self.mail, self.api, self.random = mail, mail.api, random
        self.done = {}  # how often each thing happened
        self.extra, self.secrets, self.pods, self.number = [], [], [], 0
        self.proxies = {name: Proxy(mail.plane.api_port) for name in ("operator-a", "operator-b")}
        self.operators = []

    def start(self):
        self.mail.secret("credentials", **{"passwd.client": "smtp.test:user:0"})
        for number in range(BASE):
            self.mail.apply(f"base-{number}", passwdClientSecretRef={"name": "credentials"}, rollout={"stallAfter": "24h"})
        self.operators = [self.mail.operator(name, *ELECTION, port=proxy.port) for name, proxy in self.proxies.items()]
        wait_until(self.leader, 20, "one of them leads")
        self.settle()

    def close(self):
        self.mail.stop_operators()
        for proxy in self.proxies.values():
            proxy.close()

    def leader(self):
        return next((each for each in self.operators if each.is_leading()), None)

    # ---- what may happen, and how often compared with the others ----

    def events(self):
        return {self.create_relay: 6, self.edit_relay: 20, self.delete_relay: 5, self.write_secret: 6,
                self.other_secret: 4, self.break_child: 10, self.make_pod: 4, self.delete_pod: 3, self.cut_watches: 2}

    def happen(self):
        """One of them, or nothing where it can't be."""
        events = self.events()
        self.run(self.random.choices(list(events), weights=list(events.values()))[0])

    def run(self, event):
        # An operator may have been faster, or the server has just begun.
        with contextlib.suppress(ApiError, OSError):
            event()
        self.done[event.__name__] = self.done.get(event.__name__, 0) + 1

    def everything_once(self):
        for event in [*self.events(), self.restart_server, self.change_leader]:
            self.run(event)

    def name(self):
        return self.random.choice([f"base-{number}" for number in range(BASE)] + self.extra)

    def create_relay(self):
        if len(self.extra) < MOST:
            self.number += 1
            self.extra.append(f"churn-{self.number}")
            self.mail.apply(self.extra[-1], passwdClientSecretRef={"name": "credentials"}, rollout={"stallAfter": "24h"})

    def edit_relay(self):
        change = self.random.choice([
            {"podMetadata": {"labels": {"edit": str(self.random.randrange(10**6))}}},
            {"limits": {"maxConnections": self.random.randrange(1, 1000)}},
            {"network": {"service": {"type": self.random.choice(["None", "ClusterIP"])}}},
            {"managementState": self.random.choice(["Paused", "Managed"])},
            {"passwdClientSecretRef": {"name": self.random.choice(["credentials", "absent"])}}])
        self.api.patch(f"{RELAYS}/{self.name()}", {"spec": change})

    def delete_relay(self):
        if self.extra:
            name = self.extra.pop(self.random.randrange(len(self.extra)))
            self.api.delete(f"{RELAYS}/{name}")
            # There is no garbage collector here.
            for path in CHILDREN.values():
                self.remove(path.replace("edge", name))

    def write_secret(self):
        self.api.patch(f"{CORE}/secrets/credentials",
                       {"stringData": {"passwd.client": f"smtp.test:user:{self.random.randrange(10**6)}"}})

    def other_secret(self):
        if len(self.secrets) > MOST:
            self.remove(f"{CORE}/secrets/{self.secrets.pop()}")
        else:
            self.number += 1
            self.secrets.append(f"other-{self.number}")
            self.mail.secret(self.secrets[-1], value="x" * 100_000)

    def break_child(self):
        path = self.random.choice(list(CHILDREN.values())).replace("edge", self.name())
        if self.random.random() < 0.5:
            self.api.delete(path)
        elif path.startswith(DAEMON_SETS):
            self.api.patch(path, {"spec": {"minReadySeconds": self.random.randrange(11, 99)}})
        else:
            self.api.patch(path, {"metadata": {"labels": {"app.kubernetes.io/instance": "broken"}}})

    def make_pod(self):
        if len(self.pods) < MOST:
            name = f"base-{self.random.randrange(BASE)}"
            owner = self.api.get(f"{DAEMON_SETS}/{name}-smtp-relay")
            self.number += 1
            self.pods.append(f"pod-{self.number}")
            template = owner["spec"]["template"]
            self.api.create(f"{CORE}/pods", {
                "metadata": {"name": self.pods[-1], **template["metadata"], "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"], "controller": True}]},
                "spec": {**template["spec"], "nodeName": "node-1"}})

    def delete_pod(self):
        if self.pods:
            self.remove(f"{CORE}/pods/{self.pods.pop()}")

    def cut_watches(self):
        proxy = self.random.choice(list(self.proxies.values()))
        proxy.cut()
        proxy.mend()

    def restart_server(self):
        """It comes back without a past, so that everything is listed anew."""
        self.mail.plane.compact()
        self.mail.plane.restart_apiserver()

    def change_leader(self):
        """It can't renew its lease, so that it stands by."""
        leader = self.leader()
        if leader is None:
            return
        proxy = self.proxies[leader.name]
        proxy.cut()
        try:
            wait_until(lambda: self.leader() not in (None, leader), 20, "another one leads")
        finally:
            proxy.mend()

    # ---- rest ----

    def return_to_base(self):
        """As it was behind start(), but for versions."""
        self.firmly(self.remove_what_came)
        for number in range(BASE):
            self.firmly(lambda name=f"base-{number}": self.mail.apply(
                name, passwdClientSecretRef={"name": "credentials"}, rollout={"stallAfter": "24h"}))
        self.settle()

    def remove_what_came(self):
        self.extra, self.secrets, self.pods = [], [], []
        for path in (RELAYS, DAEMON_SETS, f"{CORE}/configmaps", f"{CORE}/serviceaccounts", f"{CORE}/services",
                     f"{CORE}/secrets", f"{CORE}/pods", EVENTS):
            for item in self.api.get(path)["items"]:
                name = item["metadata"]["name"]
                if path == EVENTS or name.startswith(("churn-", "other-", "pod-")):
                    self.remove(f"{path}/{name}")

    def settle(self):
        """One leads, the children of all relays are there, and nothing but the lease has been written for a while."""
        wait_until(self.leader, 30, "one of them leads")
        wait_until(self.is_whole, 60, "all relays are accepted and have their children")
        seen = {"versions": None, "since": time.monotonic()}

        def is_still():
            versions = self.mail.versions()
            if versions != seen["versions"]:
                seen.update(versions=versions, since=time.monotonic())
            return time.monotonic() - seen["since"] > 3
        wait_until(is_still, 60, "nothing changes any more", every=0.5)

    def is_whole(self):
        names = [f"base-{number}" for number in range(BASE)]
        told = all(self.mail.condition("SecretsResolved", name)[0] == "True" and
                   self.mail.relay(name)["status"]["observedGeneration"] == self.mail.relay(name)["metadata"]["generation"]
                   for name in names)
        return told and all(self.api.find(path.replace("edge", name)) for name in names for path in CHILDREN.values())

    def firmly(self, action):
        """Again until it succeeds: somebody was faster, or the server has just begun."""
        wait_until(lambda: action() or True, 30, "what must be done is done")

    def remove(self, path):
        try:
            self.api.request("DELETE", path, {"gracePeriodSeconds": 0})
        except ApiError as error:
            if error.code != 404:
                raise

    def writes_since(self, moment):
        """The writes of both, but for their leases, that have come since. A request whose connection was cut may be
        told of a minute later."""
        return [write for name in self.proxies for write in self.mail.plane.writes(name)
                if datetime.datetime.fromisoformat(write["requestReceivedTimestamp"]) >= moment]
