"""Kills a relay again and again at random moments, while clients send through it without a pause."""

import contextlib
import random
import time

from mail_history import LIMIT, REFUSALS, Load, drained
from raw_sink import RawSink
from relay import Relay

LATEST = 0.2  # seconds of life, at most, behind the moment from which they are counted
# Also while it starts, when it reads what the one before has left.
SHARE_OF_STARTS = 0.2
DELIVERIES_AT_ONCE = "4"


def torn_relay(sink, folder, **settings):
    """A relay for the load of mail_history.py, whose smarthost is the raw sink unless the settings name another."""
    usual = {"smarthost": f"127.0.0.1:{sink.port}", "max_message_size": LIMIT, "delivery_connections": DELIVERIES_AT_ONCE,
             "retry_initial_delay": "100ms", "retry_max_delay": "500ms"}
    return Relay(folder, **usual | settings)


def kill_rounds(folder, rounds, seed, through=contextlib.nullcontext):
    """The history of so many kills (kill -9), drained. The seed draws when each comes, what is sent, and to whom; how far
    the relay has got by then is up to the machine. `through`: makes of the relay's port a context with the
    one that clients send to."""
    rng = random.Random(seed)
    with RawSink(folder / "sink", specs=REFUSALS) as sink, torn_relay(sink, folder) as relay:
        with through(relay.smtp_port) as port, Load(port, seed) as load:
            for _ in range(rounds):
                time.sleep(rng.uniform(0.001, LATEST))
                relay.kill()
                relay.start(wait=rng.random() > SHARE_OF_STARTS)
        return drained(relay, sink, [load])
