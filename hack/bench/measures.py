"""What is measured of an operator, each by a function of its own. Each says what it does to the estate."""

import contextlib
import signal
import statistics
import time

from estate import seconds_of, until
from subjects import Ours

SETTLED_AFTER = 3  # seconds without a reconcile
EDIT_EVERY = 0.1  # seconds: slow enough for the bucket of writes to stay full
EDIT_EVERY_AT_WORK = 0.7


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def settle(subject, estate, quiet=SETTLED_AFTER, seconds=120):
    """Until it has sent nothing but for its lease for so long."""
    seen = {"requests": -1, "since": time.monotonic()}

    def is_quiet():
        subject.check_alive()
        requests = sum(1 for record in estate.audit.of(subject.name) if record.resource != "leases")
        if requests != seen["requests"]:
            seen.update(requests=requests, since=time.monotonic())
        return time.monotonic() - seen["since"] >= quiet
    until(is_quiet, seconds, f"{subject.name} has nothing to do", every=0.2)


def starts(estate, rounds, *flags):
    """Of so many starts: seconds until it was ready, and MiB when it had nothing to do any more; of them its own; at most."""
    ready, resident, own, peak = [], [], [], []
    for _ in range(rounds):
        with Ours(estate, *flags) as operator:
            ready.append(operator.ready_after)
            until(operator.is_leading, 30, "it leads")
            settle(operator, estate)
            resident.append(operator.gauge.resident())
            own.append(operator.gauge.anonymous())
            peak.append(operator.gauge.peak())
    return [statistics.median(values) for values in (ready, resident, own, peak)]


def children_made(estate, subject):
    return [record for record in estate.audit.of(subject.name)
            if record.makes_child() and record.namespace == subject.namespace]


def convergence(estate, subject, relays, seconds=600):
    """Seconds from the start of the program until there have been children of so many relays, and how many it made."""
    before = len(children_made(estate, subject))
    with subject:
        # Not by the audit log: of a write whose writer ended meanwhile it does not say that it succeeded.
        until(lambda: subject.check_alive() and estate.children(subject.namespace) >= relays, seconds,
              f"{subject.name} has made all children", every=0.2)
        made = children_made(estate, subject)
        settle(subject, estate)
    return max(record.ended for record in made) - subject.started, len(made) - before


class Edits:
    """Changes relays one after another, and finds in the audit log how long each waited for its DaemonSet."""

    def __init__(self, estate, subject, names):
        self.estate, self.subject, self.names = estate, subject, names
        self.mark = estate.audit.mark()
        self.count = 0

    def make_one(self):
        self.estate.edit(self.names[self.count % len(self.names)], f"{time.time_ns()}", self.subject.namespace)
        self.count += 1

    def waits(self):
        """Seconds between the arrivals of an edit and of the request that changes the DaemonSet, so with the time that
        the server needs for the edit itself; one for each edit."""
        records = self.estate.audit.refresh()[self.mark:]
        edits = [record for record in records if record.user == "admin" and record.verb == "patch"
                 and record.resource == "smtprelays" and record.namespace == self.subject.namespace]
        changes = {}
        for record in records:
            if (record.user, record.verb, record.resource) == (self.subject.name, self.subject.changes_by, "daemonsets"):
                changes.setdefault(record.name, []).append(record.came)
        found = []
        for edit in edits:
            later = [came for came in changes.get(edit.name + self.subject.suffix, []) if came > edit.came]
            if later:
                found.append(min(later) - edit.came)
        return found

    def all_waits(self, seconds=60):
        until(lambda: len(self.waits()) >= self.count, seconds, f"all {self.count} edits have reached DaemonSets")
        return self.waits()


def latency(estate, subject, names, edits):
    """Seconds of each of so many edits while nothing else happens."""
    with subject:
        settle(subject, estate)
        made = Edits(estate, subject, names)
        for _ in range(edits):
            made.make_one()
            time.sleep(EDIT_EVERY)
        return made.all_waits()


def latency_of_a_cold_start(estate, subject, names, edits):
    """The same while it makes the children of many new relays; it is ended before they are all made."""
    with subject:
        until(subject.is_leading, 60, "it leads")
        made = Edits(estate, subject, names)
        for _ in range(edits):
            made.make_one()
            time.sleep(EDIT_EVERY_AT_WORK)
        return made.all_waits()


def no_op(estate, relays, rounds):
    """CPU seconds and wall seconds of a reconcile that finds nothing to do; all are looked at every few seconds."""
    every = max(5, relays // 250)
    cpu, wall = [], []
    with Ours(estate, f"--resync={every}s") as operator:
        settle(operator, estate)
        for _ in range(rounds):
            begun, used = operator.reconciles(), operator.gauge.cpu()
            until(lambda: operator.reconciles() > begun, every * 3, "all are looked at again", every=0.02)
            at, used = time.monotonic(), min(used, operator.gauge.cpu())
            until(lambda: operator.reconciles() >= begun + relays, every * 3, "all have been looked at", every=0.02)
            wall.append((time.monotonic() - at) / relays)
            cpu.append((operator.gauge.cpu() - used) / relays)
            time.sleep(0.5)
    return statistics.median(cpu), statistics.median(wall)


def rest(estate, subjects, seconds):
    """{name: (CPU ms a second, requests by verb, open watches)} of operators with nothing to do, side by side."""
    with contextlib.ExitStack() as stack:
        began = estate.audit.mark()
        for subject in subjects:
            stack.enter_context(subject)
        for subject in subjects:
            settle(subject, estate)
        mark = estate.audit.mark()
        used = [subject.gauge.cpu() for subject in subjects]
        time.sleep(seconds)
        spent = [subject.gauge.cpu() - before for subject, before in zip(subjects, used)]
        return {subject.name: (cpu / seconds * 1000, estate.audit.traffic(subject.name, mark),
                               estate.audit.open_watches(subject.name, began))
                for subject, cpu in zip(subjects, spent)}


def relist(estate):
    """Frozen while its watches end and what it knew is forgotten: seconds from 410 until all is listed anew, of the kind
    that took longest while all of them are listed, and how much it wrote then."""
    patience = ("--lease-duration=300s", "--renew-deadline=240s")
    with Ours(estate, *patience) as operator:
        until(operator.is_leading, 330, "it leads")
        settle(operator, estate)
        kinds = len(operator.records("listed"))
        mark = estate.audit.mark()
        operator.signal(signal.SIGSTOP)
        try:
            for number in range(20):
                estate.api.create("/api/v1/namespaces/default/configmaps",
                                  {"metadata": {"name": f"noise-{time.time_ns()}-{number}"}})
            estate.plane.compact()
            estate.plane.restart_apiserver()
        finally:
            operator.signal(signal.SIGCONT)
        until(lambda: len(operator.records("listed")) >= 2 * kinds, 120, "all kinds are listed anew")
        settle(operator, estate)
        gone = times_by_kind(record for record in operator.records("watch_failed") if record["kind"] == "gone")
        listed = times_by_kind(operator.records("listed")[kinds:])
        writes = [record for record in estate.audit.of(operator.name, mark)
                  if record.is_write() and record.resource != "leases"]
        return max(end - begin for kind in listed for begin, end in zip(gone[kind], listed[kind])), len(writes)


def times_by_kind(records):
    """{resource: [seconds]} of log records; ConfigMaps are watched twice."""
    found = {}
    for record in records:
        found.setdefault(record["resource"], []).append(seconds_of(record["time"]))
    return found


def failover(estate, crash):
    """Seconds from the end of a leader until the standby leads."""
    with Ours(estate) as first:
        until(first.is_leading, 60, "the first one leads")
        with Ours(estate, user="operator-b") as second:
            settle(second, estate)
            began = time.monotonic()
            first.kill() if crash else first.signal(signal.SIGTERM)
            until(second.is_leading, 60, "the second one leads", every=0.01)
            return time.monotonic() - began


def growth_by_secrets(estate, subjects, secrets, octets):
    """{name: (MiB before, MiB while they were made, MiB after a start beside them)}"""
    before, beside, after = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for subject in subjects:
            stack.enter_context(subject)
        for subject in subjects:
            settle(subject, estate)
            before[subject.name] = subject.gauge.resident()
        for namespace in {subject.namespace for subject in subjects}:
            estate.create_secrets(secrets, octets, namespace)
        for subject in subjects:
            settle(subject, estate)
            beside[subject.name] = subject.gauge.resident()
    for subject in subjects:
        with subject:
            settle(subject, estate)
            after[subject.name] = subject.gauge.resident()
    return {name: (before[name], beside[name], after[name]) for name in before}
