"""What clients sent and what arrived, written down for the checker in custody.py.

    with Load(relay.smtp_port, seed) as load:      four clients that send without a pause, each message under its own id
        ... kill the relay, cut its connections, fill its disk ...
    history = drained(relay, sink, [load])

An id is the local part of the sender, so that it stands in every envelope; a report of its failure comes back to it. Of a
message's recipients those of REFUSED are refused by a sink with REFUSALS, so that there are reports.
"""

import base64
import collections
import math
import random
import re
import threading

import reports
from custody import NOT_ENDED, Copy, History, Report, Sent, digest
from relay import Client, patiently
from sink_store import address, read_lines

DOMAIN = "torture.test"  # of all senders
REFUSED = "nobody"
REFUSALS = [f"rcpt=<{REFUSED}-:*:reply:550 5.1.1 no such user"]
# What the relay puts in front: one field, whose further lines begin with a blank (RFC 5321 4.4).
RECEIVED = re.compile(rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")

CLIENTS = 4
OCTETS_OF_LARGE = 100_000  # four chunks of the spool
OCTETS_TOO_MANY = 300_000  # for a relay with max_message_size 256Ki
LIMIT = "256Ki"
OCTETS_DRAWN = 500_000  # of a message; of one that is larger it is repeated
# A relay records a delivery while its connection goes on. How many it may be behind, at most, on one connection.
LAST_IN_DOUBT = 3


def content_of(id, octets, rng):
    """A header with the id, and about so many octets, some lines of which begin with dots. Nothing compresses, but that
    what is larger than OCTETS_DRAWN repeats itself: drawing takes its time."""
    head = f"Subject: {id}\r\nMessage-ID: <{id}@{DOMAIN}>\r\n\r\n.\r\n..two\r\n.one\r\n".encode()
    times = max(1, octets // OCTETS_DRAWN)
    return head + base64.encodebytes(rng.randbytes(octets // times * 3 // 4)).replace(b"\n", b"\r\n") * times


def stuffed(content):
    """As it is sent (RFC 5321 4.5.2)."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", content)


class Load:
    """Clients that send until they are told to stop, whatever becomes of their connections. `pause`: the mean, in
    seconds, between two messages of one; `octets`: of each message, unless it is drawn."""

    def __init__(self, port, seed, clients=CLIENTS, name="m", pause=0.005, octets=None,
                 host="127.0.0.1"):
        self.port, self.host, self.pause, self.octets = port, host, pause, octets
        self.sent = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(f"{name}{number}", random.Random(f"{seed}/{name}/{number}")),
                                          daemon=True) for number in range(clients)]

    def acknowledged(self):
        return sum(1 for sent in list(self.sent) if sent.acknowledged)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._ends.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client does not end"

    def _run(self, name, rng):
        count = 0
        while not self._ends.is_set():
            try:
                with self.connect() as client:
                    for _ in range(rng.randrange(1, 30)):
                        count += 1
                        self.send(client, f"{name}-{count}", rng)
                        if self._ends.wait(rng.random() * 2 * self.pause):
                            break
            except (OSError, AssertionError):
                self._ends.wait(0.02)

    def connect(self):
        return Client(self.port, host=self.host)

    def send(self, client, id, rng):
        """One message that is drawn; what raises has been written down before."""
        recipients = [f"{id}.{number}@{DOMAIN}" for number in range(rng.choice((1, 1, 1, 2, 3)))]
        if rng.random() < 0.05:
            recipients.append(self.refused(id))
        content = content_of(id, self.octets or self.size(rng), rng)
        self.transmit(client, id, recipients, content, leaves=rng.random() < 0.02)

    def transmit(self, client, id, recipients, content, leaves=False):
        """`leaves`: in the middle of the content, without a word."""
        reply, wire = NOT_ENDED, stuffed(content)
        try:
            try:
                client.begin(f"{id}@{DOMAIN}", recipients)
            except AssertionError as refusal:
                reply = str(refusal).rpartition("-> ")[2] or NOT_ENDED
                raise
            if leaves:
                client.write(wire[: len(wire) // 2])
                raise OSError("this client leaves")
            client.write(wire)
            reply = ""  # from here on the relay may have had the end
            client.write(b".\r\n")
            reply = client.reply()
        finally:
            self.sent.append(Sent(id, tuple(recipients), digest(content), reply))

    def refused(self, id):
        """A recipient whom the next hop refuses."""
        return f"{REFUSED}-{id}@{DOMAIN}"

    @staticmethod
    def size(rng):
        kind = rng.random()
        return OCTETS_TOO_MANY if kind < 0.01 else OCTETS_OF_LARGE if kind < 0.05 else rng.randrange(100, 6000)


def arrivals(sink, half_open=False, settling=0):
    """([Copy], [Report]) of what a raw sink has accepted, once all its connections have ended. `half_open`: the network has
    kept from it that some did, now that the relay is gone. `settling`: the seconds until a relay's record of a delivery is on
    its disk, where that has to be; what was accepted so shortly before its connection broke off is in doubt too."""
    store = sink.store
    if not half_open:
        patiently(lambda: have_ended(store), 60, "every connection to the sink has ended")
    ended = ends_of(store)
    copies, found = [], []
    # In the order in which the relay tried: of an attempt that it gave up in the end the sink may hear later than of the next.
    entries = sorted((entry for entry in read_lines(store.folder / "messages.jsonl") if entry["reply"].startswith("2")),
                     key=lambda entry: entry["began"])
    by_connection = collections.defaultdict(list)
    for entry in entries:
        by_connection[entry["connection"]].append(entry["id"])
    for entry in entries:
        octets = re.sub(rb"(\A|\r\n)\.", rb"\1", (store.folder / f"{entry['id']}.raw").read_bytes())
        recipients = tuple(address(each) for each in entry["rcpt"])
        command, moment = ended.get(entry["connection"], ("", math.inf))
        is_late = entry["id"] in by_connection[entry["connection"]][-LAST_IN_DOUBT:] or entry["time"] > moment - settling
        in_doubt = entry["unheard"] or (command.upper() != "QUIT" and is_late)
        if address(entry["mail"]).partition(" ")[0] in ("", "FROM:<>"):
            report = reports.parse(octets)
            failed = tuple(name for name, action in report.actions.items() if action == "failed")
            found.append(Report(recipients[0].partition("@")[0], failed, in_doubt))
        else:
            id = address(entry["mail"]).partition("@")[0]
            copies.append(Copy(id, recipients, digest(RECEIVED.sub(b"", octets, count=1)), in_doubt))
    return copies, found


def ends_of(store):
    """{connection: (its last command, when it ended)} of those that have."""
    return {session["connection"]: (session["commands"][-1]["line"] if session["commands"] else "", session["time"])
            for session in store.sessions()}


def have_ended(store):
    """Whether none that has brought a message goes on."""
    return {entry["connection"] for entry in read_lines(store.folder / "messages.jsonl")} <= set(ends_of(store))


def drained(relay, sink, loads, seconds=60, half_open=False, settling=0, **facts):
    """The history once a running relay has settled all that it took; it has ended then. `loads`: where clients wrote down
    what they sent; `half_open`, `settling`: as arrivals() has them."""
    # One that has just been started counts its queue first, and says 0 until then.
    patiently(lambda: relay.is_ready() and relay.is_empty(), seconds, "the queue is empty")
    assert relay.queue() == []
    assert relay.stop() == 0
    return History([sent for load in loads for sent in load.sent], *arrivals(sink, half_open, settling), **facts)
