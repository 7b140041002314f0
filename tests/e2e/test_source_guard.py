"""A network that begins to hide clients closes the relays of its nodes, instead of opening them to everybody.

Masquerading is switched on and off under running traffic, by a rule of a node's packet filter: for what comes from the host
`client` itself. What comes from there through the load balancer has its address in the PROXY header, and is not touched.
"""

import contextlib
import json

import cluster
import estate
from cluster import ADDRESS, NODES
from estate import BALANCER, CLIENT
from traffic import Traffic
from waiting import wait_until

NODE, OTHER = "node1", "node2"
KIND = "SourceAddressPreserved"
HIDDEN = "550 5.7.1 Relaying denied: the network hides the client behind "
# Where clients of NODE's relay come from then, and what the operator says of it: the gateway of its pods, which only the relay
# knows, since nodes here have no networks of their own in the API; or a node.
GATEWAY = f"10.140.{NODE.removeprefix('node')}.1"
WAYS = {
    "masquerading": (["MASQUERADE"], GATEWAY, GATEWAY),
    "another node": (["SNAT", "--to-source", ADDRESS[OTHER]], ADDRESS[OTHER], f"{ADDRESS[OTHER]} ({OTHER})"),
}


@contextlib.contextmanager
def translated(node, *target):
    """From now on new connections from the client are translated on their way to the node's relay."""
    rule = ["POSTROUTING", "-s", CLIENT, "-p", "tcp", "--dport", "2525", "-j", *target]
    cluster.inside(node, "iptables", "-w", "-t", "nat", "-I", *rule)
    try:
        yield
    finally:
        cluster.inside(node, "iptables", "-w", "-t", "nat", "-D", *rule)


def offer(node):
    """What the client hears to its recipient at a node."""
    return estate.converse("client", ADDRESS[node], "EHLO client.mail.test", "MAIL FROM:<a@mail.test>", "RCPT TO:<b@mail.test>")[-1]


def hidden_clients(node):
    return estate.metric(estate.pods()[node], "smtp_relay_hidden_clients_total")


def knows_all_nodes(node):
    """Whether the node's relay has the list, as kubelet has written it."""
    name = estate.pods()[node]["metadata"]["name"]
    text = cluster.kubectl("-n", estate.NAMESPACE, "exec", name, "-c", "relay", "--", "cat",
                           "/etc/smtp-relay/nodes/hidden_sources", check=False)
    return all(ADDRESS[each] in text.split() for each in NODES)


def test_it_closes_when_the_network_begins_to_hide_clients_and_opens_when_it_ends():
    wait_until(lambda: knows_all_nodes(NODE), 120, "the relay knows the nodes")
    wait_until(lambda: offer(NODE).startswith("250 "), 10, "clients are served")
    # An event tells of the moment in which it begins, which an earlier test may have brought about.
    begins_here = estate.condition(KIND)["status"] != "False"
    with Traffic(BALANCER, 180, "proxied", every=0.5) as traffic:
        for target, source, described in WAYS.values():
            before = hidden_clients(NODE)
            with translated(NODE, *target):
                refusal = offer(NODE)
                assert refusal.startswith(HIDDEN + source + " "), refusal
                assert offer(OTHER).startswith("250 "), "the other nodes hide nobody"
                wait_until(lambda: described in estate.condition(KIND)["message"], 60, "the condition says so")
                said = estate.condition(KIND)
                assert (said["status"], said["reason"]) == ("False", "ClientsHidden")
                assert f"they come on {NODE} from " in said["message"], said
                wait_until(lambda: hidden_clients(NODE) > before, 10, "it is counted")
                assert estate.metric(estate.pods()[NODE], 'smtp_relay_recipients_refused_total{reason="hidden_source"}') > 0
                accepted = len(traffic.accepted())
                wait_until(lambda: len(traffic.accepted()) > accepted, 20, "who comes by the PROXY protocol is served")
            assert offer(NODE).startswith("250 "), "it is open again at once"
        beginning = GATEWAY if begins_here else "the network hides clients"
        wait_until(lambda: estate.told("ClientsHidden", beginning), 20, "an event says so")
        traffic.stop(90)
    # What was seen is remembered for three minutes.
    wait_until(lambda: estate.condition(KIND)["status"] == "True", 260, "the condition says that it is over")
    wait_until(lambda: sorted(estate.subjects()) == sorted(traffic.subjects), 60, "nothing was lost meanwhile")


def test_what_a_relay_saw_is_on_its_page():
    offer(NODE)
    page = estate.say(ADDRESS[NODE], 8025, "GET /sources HTTP/1.0", "")
    facts = json.loads(page.strip().splitlines()[-1])
    assert facts["own_addresses"] is True
