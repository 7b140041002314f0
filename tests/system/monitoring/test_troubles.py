"""Relays in trouble, and one in order: what each alert asks is true of the one, and none is of the other.

How long it has to be true is promtool's business, and what takes hours or a broken disk as well (tests/monitoring).
"""

import contextlib
import dataclasses
import json

import monitoring
import pytest
from certificates import Authority
from conftest import pod_of
from prometheus import Prometheus
from raw_sink import RawSink
from ports import free_ports
from relay import Client, Relay, patiently, send_octets
from waiting import wait_until

RULES = monitoring.rules()
BLOCKED = "rcpt=bad@:*:reply:554 5.7.1 Service unavailable; client host [192.0.2.1] blocked using zen.spamhaus.org"


def send(relay, count=1, **message):
    with Client(relay.smtp_port) as client:
        for _ in range(count):
            client.send(**message)


def knock(relay, count):
    """Connects and says a word, whatever is answered."""
    for _ in range(count):
        with contextlib.suppress(OSError):
            send_octets(relay.smtp_port, b"EHLO client.test\r\nQUIT\r\n")


# ---- what happens to each, once Prometheus has seen it in order ----

def nothing(_, __):
    pass


def ten_messages(relay, _):
    send(relay, 10)


def refused_mail(relay, _):
    send(relay, 120, recipients=["bad@example.net"])
    send(relay, 25, sender="", recipients=["bad@example.net"])


def offers(relay, _):
    for _ in range(6):
        with Client(relay.smtp_port) as client:
            client.say("MAIL FROM:<a@example.com>", 250)
            for _ in range(5):
                client.say("RCPT TO:<b@example.net>", 550)


def strangers(relay, _):
    knock(relay, 15)


def a_crowd(relay, _):
    with Client(relay.smtp_port):
        knock(relay, 3)


def large_messages(relay, _):
    send(relay, 3, content=b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 7000)


def drain(relay, _):
    relay.ctl("drain")


def death(relay, _):
    relay.kill()


def restarts(relay, prometheus):
    seen = 'changes(smtp_relay_start_time_seconds{relay="restless"}[5m]) == '
    for number in range(1, 5):
        relay.kill()
        relay.start()
        wait_until(lambda: prometheus.query(seen + str(number)), 20, "Prometheus has seen the new one")


def bad_settings(relay, _):
    (relay.folder / "relay.json").write_text(json.dumps({"max_recipients": 1}))


@dataclasses.dataclass
class Trouble:
    alerts: list
    happens: object = nothing
    sink: dict = dataclasses.field(default_factory=dict)
    settings: dict = dataclasses.field(default_factory=dict)
    next_hop: str = "sink"  # or: gone, expired, locked


TROUBLES = {
    "calm": Trouble([], ten_messages),
    "expired": Trouble(["SmtpRelayTlsFails", "SmtpRelayConnectionsFail", "SmtpRelayNothingDelivered"], ten_messages,
                       next_hop="expired"),
    "locked": Trouble(["SmtpRelayCredentialsRefused", "SmtpRelayConnectionsFail", "SmtpRelayNothingDelivered"], ten_messages,
                      next_hop="locked"),
    "blocked": Trouble(["SmtpRelayRefusedByReceivers", "SmtpRelayRecipientsFail", "SmtpRelayBounceFlood", "SmtpRelayDeadLetters"],
                       refused_mail, sink={"specs": [BLOCKED]}),
    "hidden": Trouble(["SmtpRelayClientsHidden", "SmtpRelayRefusesEverything"], offers,
                      settings={"hidden_sources": "127.0.0.1/32"}),
    "proxied": Trouble(["SmtpRelayProxyHeaderRefused"], strangers, settings={"proxy_trusted": "127.0.0.1/32"}),
    "crowded": Trouble(["SmtpRelayConnectionsFull"], a_crowd, settings={"max_connections": "1"}),
    "full": Trouble(["SmtpRelayNotReady", "SmtpRelayNoneReady"], large_messages, settings={"spool_max_size": "1Mi"},
                    next_hop="gone"),
    "drained": Trouble(["SmtpRelayDrainForgotten", "SmtpRelayNoneReady"], drain),
    "dead": Trouble(["SmtpRelayDown", "SmtpRelayNoneReady"], death),
    "restless": Trouble(["SmtpRelayRestarts"], restarts),
    "relaxed": Trouble(["SmtpRelayNotDurable"], settings={"durability": "relaxed"}),
    "misled": Trouble(["SmtpRelaySettingsRefused"], bad_settings),
}


def start(name, trouble, folder, authority, stack):
    """The relay, and its next hop as the trouble wants it."""
    folder.mkdir()
    options, settings = dict(trouble.sink), dict(trouble.settings)
    if trouble.next_hop in ("expired", "locked"):
        options["tls"] = authority.issue("localhost", expired=trouble.next_hop == "expired")
        settings |= {"smarthost_tls": "required", "smarthost_ca": authority.certificate}
    if trouble.next_hop == "locked":
        options |= {"credentials": ("user", "right"), "require_auth": True}
        (folder / "passwd.client").write_text("localhost:user:wrong\n")
    if trouble.next_hop == "gone":
        port = free_ports(1)[0]
    else:
        port = stack.enter_context(RawSink(folder / "sink", **options)).port
    relay = Relay(folder, smarthost=f"localhost:{port}", pod_name=name, **settings)
    (folder / "relay.json").write_text(json.dumps({"max_recipients": 500}))
    stack.callback(relay.stop)
    return relay.start(arguments=("--config", str(folder / "relay.json")))


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("troubles")
    authority = Authority(folder / "pki")
    with contextlib.ExitStack() as stack:
        relays = {name: start(name, trouble, folder / name, authority, stack) for name, trouble in TROUBLES.items()}
        pods = [pod_of("smtp-relay", relay.http_port, name) for name, relay in relays.items()]
        with Prometheus(folder, pods) as prometheus:
            twice = "count(count_over_time(smtp_relay_build_info[1m]) > 1)"
            wait_until(lambda: prometheus.query(twice) == [({}, len(relays))], 30, "each is scraped twice")
            for name, trouble in TROUBLES.items():
                trouble.happens(relays[name], prometheus)
            patiently(lambda: relays["calm"].metric('recipients_total{result="delivered"}') == 10, 20, "mail flows")
            yield prometheus


def relays_of(prometheus, alert):
    """The names of the relays of which the alert's expression is true."""
    return {labels["relay"] for labels, _ in prometheus.query(RULES[alert]["expr"])}


@pytest.mark.parametrize("name, alert", [(name, alert) for name, trouble in TROUBLES.items() for alert in trouble.alerts])
def test_an_alert_sees_the_trouble(troubled, name, alert):
    wait_until(lambda: name in relays_of(troubled, alert), 30, f"{alert} is true of {name}")


def test_none_is_true_of_a_relay_in_order(troubled):
    seen = {alert for alert in RULES for labels, _ in troubled.query(RULES[alert]["expr"]) if labels.get("relay") == "calm"}
    # From a few seconds of a disk on which tests write it foresees the worst; in earnest it has half an hour to last.
    assert seen - {"SmtpRelaySpoolFilling"} == set()


@pytest.mark.parametrize("alert", sorted({alert for trouble in TROUBLES.values() for alert in trouble.alerts}))
def test_an_alert_is_true_of_nobody_else(troubled, alert):
    meant = {name for name, trouble in TROUBLES.items() if alert in trouble.alerts}
    assert relays_of(troubled, alert) - meant == set()
