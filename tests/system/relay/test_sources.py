"""Addresses to send from: their shares, what each says of itself, and how much one that is warmed up sends."""

import collections
import datetime
import json

from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to


def source(name, address, **fields):
    return {"name": name, "address": address, **fields}


def today():
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def send(relay, count):
    with Client(relay.smtp_port) as client:
        for _ in range(count):
            client.send()


def test_each_source_sends_its_share_under_its_own_name(tmp_path):
    sources = [source("a", "127.0.0.2", helo_name="a.relay.test", weight=3), source("b", "127.0.0.3")]
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, sources=json.dumps(sources), messages_per_connection="1") as relay:
            send(relay, 80)
            messages = arrived(sink, 80, 60)
            shares = collections.Counter((message.entry["peer"], message.entry["helo"]) for message in messages)
            assert set(shares) == {("127.0.0.2", "a.relay.test"), ("127.0.0.3", "relay.test")}
            # 60 on average; by chance beyond these bounds once in a million runs.
            assert 40 < shares["127.0.0.2", "a.relay.test"] < 78
            logged = collections.Counter(record["source"] for record in relay.records("delivery"))
            assert logged["a"] == shares["127.0.0.2", "a.relay.test"]


def test_a_source_that_is_warmed_up_sends_no_more_than_it_may_and_others_the_rest(tmp_path):
    sources = [source("new", "127.0.0.3", weight=1000, messages_a_day=[3, 1000], warm_up_from=today()),
               source("old", "127.0.0.2")]
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, sources=json.dumps(sources)) as relay:
            send(relay, 20)
            peers = collections.Counter(message.entry["peer"] for message in arrived(sink, 20))
            assert peers == {"127.0.0.3": 3, "127.0.0.2": 17}


def test_a_restart_does_not_begin_the_day_anew(tmp_path):
    sources = [source("new", "127.0.0.3", messages_a_day=[3, 1000], warm_up_from=today())]
    with RawSink(tmp_path / "sink") as sink:
        relay = relay_to(sink, tmp_path, sources=json.dumps(sources))
        for _ in range(2):
            with relay:
                send(relay, 5)
                patiently(lambda: "warm-up" in str(relay.records("hop_failure")), 20, "the allowance is used up")
                patiently(lambda: json.loads((tmp_path / "spool/sources.json").read_text())["sent"] == {"new": 3}, 10,
                          "it is kept")
            relay.log_file.unlink()
        assert len(sink.store.messages()) == 3
