"""What is measured of the relay at scale: each figure is a function that adds rows to a page."""

import dataclasses
import shutil
import statistics
import time

from load import WORKLOADS, Sink, Workload, send
from scale_clients import Idle, fill, send_steadily
from scale_hops import Destination, Nobody, SlowSink
from scale_relay import BenchRelay, Peak

from ports import free_port
from waiting import wait_until

IDLE_LIMIT = 100 / 10_000  # MiB a connection
QUEUED_LIMIT = 200  # MiB, however much waits
RESTART_LIMIT = 3  # seconds
FALL_LIMIT = 20  # percent
SLOWER_LIMIT = 20  # percent; and what the clock of log records does not tell
CLOCK = 1  # millisecond
LARGE = 50 << 20  # octets
LARGE_LIMIT = 8  # MiB a message
MANY_LARGE = 4  # at a time
SLOW_REPLY = 2  # seconds
SLOW_SHARE = 10  # every tenth message is for the slow destination
SHARDS = (1, 2, 4)
DESTINATIONS = 1000
# Of the disk at most, with log, write-ahead log and what compactions take meanwhile.
OCTETS_A_MESSAGE = 12_000
NEW, KEPT = [next(each for each in WORKLOADS if each.name == name) for name in ("4k-new", "4k-kept")]


@dataclasses.dataclass
class Rate:
    """One turn of smtp-source through a relay that runs on."""

    delivered: float  # messages a second
    cpu: float  # of the relay, microseconds a message


def spread(values):
    """Median, with minimum and maximum beside it."""
    shown = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}-{shown[2]})"


def turn(relay, sink, workload, count):
    before, cpu, begun = sink.messages(), relay.gauge().cpu(), time.monotonic()
    send(workload, count, relay.smtp_port)
    delivered = sink.await_messages(before + count)
    return Rate(count / (delivered - begun), (relay.gauge().cpu() - cpu) / count * 1e6)


def turns(relay, sink, workload, options):
    turn(relay, sink, workload, options.turn // 5)  # connections and caches are there
    return [turn(relay, sink, workload, options.turn) for _ in range(options.rounds)]


def shown_memory(gauge):
    return f"{gauge.anonymous():.1f} MiB anonymous, {gauge.proportional():.1f} MiB with its share of libraries"


# ---- idle connections ----

def idle(page, options, folder):
    count, port = options.connections, free_port()
    page.say(f"{count:,} idle connections")
    with Sink(port, folder.parent) as sink, BenchRelay(folder, smarthost=f"127.0.0.1:{port}", max_connections=count + 100) as relay:
        turn(relay, sink, KEPT, options.turn)  # the spool's write buffers have turned over
        relay.settle()
        gauge = relay.gauge()
        before, shown_before = gauge.anonymous(), shown_memory(gauge)

        def row(what):
            relay.settle()
            grown = gauge.anonymous() - before
            page.row(f"memory of {count:,} connections {what}", IDLE_LIMIT * count, grown, "MiB",
                     f"{grown / count * 1024:.1f} KiB each; before {shown_before}; with them {shown_memory(gauge)}")
        with Idle(relay.smtp_port, count) as clients:
            row("that are idle behind EHLO")
            clients.each_sends_one(b"recipient@bench.test")
            row("that are idle behind a message of 4 KB each")


# ---- a million messages that wait ----

def need_space(count, folder):
    """Fails with OSError when there is too little disk for so many messages."""
    needed, free = count * OCTETS_A_MESSAGE + (1 << 30), shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{count:,} messages take up to {needed / 1e9:.0f} GB in {folder}, and {free / 1e9:.0f} GB are free: "
                      "make room, or take fewer with --messages")


def million(page, options, folder):
    count = options.messages
    need_space(count, folder.parent)
    sink_port = free_port()
    with Nobody() as dead, Sink(sink_port, folder.parent) as sink:
        waiting = [Destination(f"d{number}", dead) for number in range(DESTINATIONS)]
        routes = [each.route() for each in waiting]
        routes.append({**Destination("sink", sink_port).route(), "recipient_domains": ["bench.test"]})
        with BenchRelay(folder, routes) as relay:
            page.say(f"throughput with an empty queue: {options.rounds} rounds")
            empty = turns(relay, sink, KEPT, options)
            relay.settle()
            small = relay.gauge().anonymous()
            page.say(f"{count:,} messages to {DESTINATIONS:,} destinations that take none")
            queued(page, relay, waiting, count, small)
            restarts(page, options, relay, waiting[0].recipient)
            relay.settle()
            page.row(f"memory with {count:,} queued messages, behind a restart", QUEUED_LIMIT, relay.gauge().proportional(), "MiB",
                     shown_memory(relay.gauge()))
            page.say(f"throughput with {count:,} messages that wait: {options.rounds} rounds")
            full = turns(relay, sink, KEPT, options)
            fall(page, count, empty, full)


def queued(page, relay, destinations, count, small):
    gauge = relay.gauge()

    def tell(accepted, seconds):
        page.say(f"  {accepted:,} of {count:,}, {accepted / seconds:,.0f} a second, {gauge.proportional():.0f} MiB")
    with Peak(gauge, with_shares=True) as peak:
        seconds = fill(relay.smtp_port, [each.recipient for each in destinations], count, tell)
        relay.settle()
    waiting = int(relay.metric("queue_messages"))
    if waiting != count:
        raise RuntimeError(f"{count:,} messages were accepted, and {waiting:,} wait")
    page.row(f"memory while {count:,} messages come in, at most", QUEUED_LIMIT, peak.proportional, "MiB",
             f"{count / seconds:,.0f} a second; {peak.anonymous:.1f} MiB of it anonymous, {small:.1f} MiB with an empty queue; behind "
             f"it {shown_memory(gauge)}")


def restarts(page, options, relay, recipient):
    count = int(relay.metric("queue_messages"))
    page.say(f"restarts with {count:,} messages: {options.rounds} regular, {options.rounds} crashes")
    taken = {"a restart": [], "a crash": []}
    for _ in range(options.rounds):
        for what, end in (("a restart", lambda: relay.stop(60)), ("a crash", relay.kill)):
            end()
            taken[what].append(relay.first_accepted_after_start(recipient))
            relay.settle()
    for what, seconds in taken.items():
        page.row(f"first 250 behind {what} with {count:,} queued messages", RESTART_LIMIT, statistics.median(seconds), "s",
                 spread(seconds) + " from the start of the program")


def fall(page, count, empty, full):
    rates = [[each.delivered for each in rounds] for rounds in (empty, full)]
    without, with_queue = (statistics.median(each) for each in rates)
    page.row(f"throughput is less beside {count:,} queued messages by", FALL_LIMIT, (1 - with_queue / without) * 100, "%",
             f"4k-kept: {spread(rates[0])} a second with an empty queue, {spread(rates[1])} with the full one; CPU "
             f"{spread([each.cpu for each in empty])} and {spread([each.cpu for each in full])} µs a message")


# ---- one slow destination ----

def slow(page, options, folder):
    page.say(f"one of {DESTINATIONS:,} destinations is slow: {options.rate} messages a second for {options.seconds} s, twice")
    alike, beside = latencies(options, folder / "alike", 0), latencies(options, folder / "slow", SLOW_REPLY)
    shares = {"p50": 50, "p95": 95, "p99": 99}
    for name, share in shares.items():
        without, with_slow = (percentile(each, share) for each in (alike, beside))
        limit = without * (1 + SLOWER_LIMIT / 100) + CLOCK
        page.row(f"from accepted to delivered beside a slow destination, {name}", limit, with_slow, "ms",
                 f"{without:,.0f} ms without; {len(beside):,} messages to {DESTINATIONS - 1:,} others")
    page.note(f"The slowest message of those to other destinations took {max(alike):,.0f} ms without the slow one, "
              f"{max(beside):,.0f} ms beside it.")


def percentile(values, share):
    return statistics.quantiles(values, n=100)[share - 1]


def latencies(options, folder, delay):
    """Milliseconds from the end of data to the record of the delivery, of each message but those to one destination, each of
    whose replies takes `delay` seconds."""
    folder.mkdir(parents=True)
    port = free_port()
    with Sink(port, folder, connections=4 * DESTINATIONS) as sink, SlowSink(delay) as slow_port:
        slow_one = Destination("slow", slow_port)
        others = [Destination(f"d{number}", port) for number in range(1, DESTINATIONS)]
        recipients = interleaved(slow_one.recipient, [each.recipient for each in others])
        count = round(options.rate * options.seconds)
        expected = sum(recipients[number % len(recipients)] != slow_one.recipient for number in range(count))
        with BenchRelay(folder / "relay", [each.route() for each in (slow_one, *others)]) as relay:
            took = send_steadily(relay.smtp_port, recipients, options.rate, options.seconds)
            if took > options.seconds * 1.2 and not options.quick:
                raise RuntimeError(f"the relay took {took:.0f} s for what was to come in {options.seconds}: a lower --rate tells more")
            sink.await_messages(expected)

            def told():
                found = [record["delay"] * 1000 for record in relay.records("delivery")
                         if record["destination"] != f"smarthost/{slow_one.name}"]
                return found if len(found) >= expected else None
            return wait_until(told, 60, f"{expected:,} deliveries are in the log", every=1)


def interleaved(rare, others):
    """`rare` as every SLOW_SHARE-th."""
    mixed = []
    for number, each in enumerate(others):
        if number % (SLOW_SHARE - 1) == 0:
            mixed.append(rare)
        mixed.append(each)
    return mixed


# ---- large messages ----

def large(page, options, folder):
    page.say(f"messages of {LARGE >> 20} MiB: one, and four at a time")
    port = free_port()
    # What small messages leave in memory until their first attempt is another setting's.
    settings = {"smarthost": f"127.0.0.1:{port}", "max_message_size": "64Mi", "content_memory": 0}
    with Sink(port, folder.parent) as sink, BenchRelay(folder, **settings) as relay:
        gauge = relay.gauge()
        fresh = gauge.anonymous()
        # Until the spool's write buffers have turned over several times: they fill by whatever comes fast enough.
        with Peak(gauge) as warm:
            turn(relay, sink, Workload("warm", "", ("-s", str(MANY_LARGE), "-d", "-l", "102400")), options.warm)
            relay.settle()
        alone, together = ([large_peak(relay, sink, at_once) for _ in range(options.rounds)] for at_once in (1, MANY_LARGE))
        above = [peak - warm.anonymous for peak in alone]
        page.row(f"memory of a message of {LARGE >> 20} MiB", LARGE_LIMIT, max(above), "MiB",
                 f"{spread(above)} above the most while small ones came, {warm.anonymous:.1f} MiB, which are mostly write buffers of the "
                 f"spool; {fresh:.1f} MiB at the start")
        further = [(most - statistics.median(alone)) / (MANY_LARGE - 1) for most in together]
        page.row(f"each further at the same time, up to {MANY_LARGE}", LARGE_LIMIT, max(further), "MiB",
                 f"{spread(further)}; all memory then {spread(together)} MiB, with one {spread(alone)} MiB")


def large_peak(relay, sink, at_once):
    """MiB of anonymous memory at most while so many large messages come at a time, and as many again while the first leave."""
    with Peak(relay.gauge()) as peak:
        turn(relay, sink, Workload("large", "", ("-s", str(at_once), "-d", "-l", str(LARGE))), 2 * at_once)
    relay.settle()
    return peak.anonymous


# ---- shards ----

def shards(page, options, folder):
    page.say(f"{', '.join(map(str, SHARDS))} shards: {options.rounds} rounds")
    found = {(workload, number): [] for workload in (NEW, KEPT) for number in SHARDS}
    port = free_port()
    with Sink(port, folder.parent) as sink:
        for round_number in range(options.rounds):
            for number in SHARDS:
                name = f"{number}-{round_number}"
                with BenchRelay(folder / name, smarthost=f"127.0.0.1:{port}", shards=number) as relay:
                    for workload in (NEW, KEPT):
                        turn(relay, sink, workload, options.turn // 5)
                        found[workload, number].append(turn(relay, sink, workload, options.turn))
                shutil.rmtree(folder / name)
    page.compare("Shards", ("delivered a second", "CPU µs a message"), {
        f"{workload.name}, shards {number}": (spread([each.delivered for each in rates]), spread([each.cpu for each in rates]))
        for (workload, number), rates in found.items()})


FIGURES = {"idle": idle, "million": million, "slow": slow, "large": large, "shards": shards}
