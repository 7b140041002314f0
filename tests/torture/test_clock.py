"""Clocks that are set by a year, forth and back, while mail waits and goes on coming: nothing expires, no id comes twice."""

import custody
from kill_rounds import torn_relay
from mail_history import REFUSALS, Load, drained
from raw_sink import RawSink
from relay import patiently
from shifted_clock import DAY, ShiftedClock

YEAR = 365 * DAY
NOT_NOW = "connect:*:reply:421 4.3.2 not now"
SOME = 30


def goes_on(load):
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + SOME, 60, "mail is taken")


def test_a_clock_that_is_set_by_a_year_expires_nothing_and_holds_nothing_back_Case105(tmp_path):
    clock = ShiftedClock(tmp_path)
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink, torn_relay(sink, tmp_path, prefix=clock.prefix) as relay:
        with Load(relay.smtp_port, seed=1) as load:
            sink.faults.add(NOT_NOW)
            goes_on(load)  # this waits
            for ahead in (YEAR, 0, YEAR):
                clock.set(clock.now() - clock.ahead + ahead)
                goes_on(load)
            sink.faults.clear()
            for spec in REFUSALS:
                sink.faults.add(spec)
            goes_on(load)
            clock.set(clock.now() - clock.ahead)
            goes_on(load)
        history = drained(relay, sink, [load])
    print(custody.account(history))
    assert custody.faults(history) == []
    ids = [sent.reply.rsplit(" ", 1)[1] for sent in history.sent if sent.acknowledged]
    assert len(ids) == len(set(ids)), "a queue id came twice"
