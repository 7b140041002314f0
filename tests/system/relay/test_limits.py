"""What one client may take: its connections, and no other's."""

import contextlib
import json
import resource
import signal
import socket

from raw_sink import RawSink
from relay import Client, Relay, arrived, patiently, relay_to

HEADER = "PROXY TCP4 {} 10.1.40.60 12345 25\r\n"


@contextlib.contextmanager
def connection(relay, source="127.0.0.1", words=""):
    """A connection from an address of this machine, and what the relay says first."""
    with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20, source_address=(source, 0)) as opened:
        opened.sendall(words.encode())
        yield opened.makefile("rb").readline().decode()


def greeting(relay, source="127.0.0.1", words=""):
    with connection(relay, source, words) as first:
        return first


def test_a_client_with_too_many_connections_gets_421_and_others_go_on_Case111(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, max_connections_per_client=2, shards=2) as relay:
        with Client(relay.smtp_port), Client(relay.smtp_port) as client:
            assert greeting(relay) == (
                "421 4.7.0 relay.test Too many connections from 127.0.0.1, close some of them first\r\n")
            assert greeting(relay, "127.0.0.2").startswith("220 ")
            client.send()  # whoever is in stays in
            assert relay.metric('connections_refused_total{reason="too_many_of_client"}') == 1
            assert relay.records("connection_refused")[0]["client"] == "127.0.0.1"
        patiently(lambda: greeting(relay).startswith("220 "), 10, "there is room again")


def test_a_client_that_comes_again_and_again_takes_no_place_of_others_Case111(tmp_path):
    # It keeps what is refused open for as long as the relay lets it.
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, max_connections=3, max_connections_per_client=1) as relay:
            with Client(relay.smtp_port), contextlib.ExitStack() as kept:
                for _ in range(20):
                    assert kept.enter_context(connection(relay)).startswith("421 4.7.0 ")
                assert greeting(relay, "127.0.0.2").startswith("220 ")
                assert relay.metric('connections_refused_total{reason="too_many_of_client"}') == 20
                assert [record["refused"] for record in relay.records("connection_refused")] == [1]
        assert sum(record["refused"] for record in relay.records("connection_refused")) == 20


def test_clients_behind_a_load_balancer_are_counted_by_their_own_addresses_Case111(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, max_connections_per_client=1, proxy_trusted="127.0.0.1") as relay:
            with connection(relay, words=HEADER.format("10.0.0.1")) as first:
                assert first.startswith("220 ")
                assert greeting(relay, words=HEADER.format("10.0.0.1")).startswith("421 4.7.0 ")
                assert greeting(relay, words=HEADER.format("10.0.0.2")).startswith("220 ")


def test_an_address_that_hides_clients_is_not_counted_Case111(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, max_connections_per_client=1, hidden_sources="127.0.0.1",
                      allowed_networks="127.0.0.1") as relay:
            with Client(relay.smtp_port), Client(relay.smtp_port) as client:
                client.send()


def test_the_last_places_are_for_clients_that_may_relay_Case111(tmp_path):
    with RawSink(tmp_path / "sink") as sink, contextlib.ExitStack() as kept:
        with relay_to(sink, tmp_path, max_connections=5, allowed_networks="127.0.0.1/32") as relay:
            for _ in range(4):
                assert kept.enter_context(connection(relay, "127.0.0.2")).startswith("220 ")
            assert greeting(relay, "127.0.0.2").startswith("421 4.3.2 ")
            assert relay.metric('connections_refused_total{reason="too_many"}') == 1
            with Client(relay.smtp_port) as client:
                client.send()


def test_addresses_that_hide_clients_share_half_of_the_connections(tmp_path):
    """Any stranger may be behind them."""
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, max_connections=4, hidden_sources="127.0.0.2,127.0.0.3") as relay:
            with connection(relay, "127.0.0.2") as first, connection(relay, "127.0.0.3") as second:
                assert first.startswith("220 ") and second.startswith("220 ")
                assert greeting(relay, "127.0.0.2").startswith("421 4.7.0 relay.test Too many connections from addresses that hide")
                assert greeting(relay, "127.0.0.1").startswith("220 ")


def test_a_backlog_that_is_full_is_worked_off_and_who_comes_behind_is_served_Case111(tmp_path):
    """More connections than the kernel keeps for the relay (1,024), while it takes none."""
    most = 1500
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], most + 500), max(limits[1], most + 500)))
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, shards=1, max_connections=2 * most) as relay, \
         contextlib.ExitStack() as held:
        relay.signal(signal.SIGSTOP)
        try:
            for number in range(most):
                connection = held.enter_context(socket.socket())
                connection.bind((f"127.0.1.{number % 200 + 1}", 0))
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", relay.smtp_port))
        finally:
            relay.signal(signal.SIGCONT)
        with Client(relay.smtp_port) as client:
            client.send()
        arrived(sink, 1)
        patiently(lambda: relay.metric("connections") >= 1000, 20, "those of the backlog are there")
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_limit_changes_without_a_restart(tmp_path):
    file = tmp_path / "relay.json"

    def write(limit):
        part = tmp_path / "part"
        part.write_text(json.dumps({"max_connections_per_client": limit}))
        part.rename(file)

    write(1)
    relay = Relay(tmp_path, smarthost="127.0.0.1:1")
    with relay.start(arguments=["--config", str(file)]), Client(relay.smtp_port) as client:
        assert greeting(relay).startswith("421 4.7.0 ")
        write(2)
        patiently(lambda: greeting(relay).startswith("220 "), 10, "one more")
        client.send()
