"""The seed's quick test, as three real clients send it: through the load balancer and directly on each node."""

import subprocess

import cluster
import estate
import pytest
import smarthost
from cluster import ADDRESS, NODES
from estate import BALANCER, CLIENT, QUICK_TEST, SINK, TO_SINK
from waiting import wait_until

TARGETS = {"lb": BALANCER, **{node: ADDRESS[node] for node in NODES}}


def netkit(host):
    """Fed by a heredoc: it sends all of it and closes without reading."""
    cluster.inside("client", "telnet-ssl", host, 25, input=QUICK_TEST, check=False, timeout=30)


def inetutils(host):
    """Sends nothing unless its input stays open: closed only once the relay has said goodbye."""
    command = cluster.inside_command("client", "inetutils-telnet", host, 25)
    telnet = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    telnet.stdin.write(QUICK_TEST.encode())
    telnet.stdin.flush()
    said = b""
    while b"221 " not in said:
        octets = telnet.stdout.read1()
        assert octets, said
        said += octets
    telnet.stdin.close()
    telnet.wait(30)


def netcat(host):
    said = cluster.inside("client", "nc.openbsd", host, 25, input=QUICK_TEST, timeout=30).stdout
    assert [line[:3] for line in said.splitlines()] == ["220", "250", "250", "250", "354", "250", "221"], said


CLIENTS = {"netkit-telnet": netkit, "inetutils-telnet": inetutils, "nc": netcat}


@pytest.mark.parametrize("client", CLIENTS)
def test_one_message_each_reaches_the_mailbox_with_its_envelope(client):
    for done, host in enumerate(TARGETS.values(), 1):
        CLIENTS[client](host)
        wait_until(lambda: len(estate.envelopes()) == done, 30, f"a message by {client} through {host}")
    assert set(estate.envelopes()) == {("marc@buildinglink.com", "codemarc@gmail.com")}
    for delivery in smarthost.deliveries():
        assert delivery.message["Subject"] == "A Test"
        assert delivery.message.get_content() == "This is just a test\n"
        received = delivery.message.get_all("Received")
        assert f"[{CLIENT}]" in received[-1], "the client's own address, through the load balancer too"


def test_what_is_sent_on_is_what_came_octet_by_octet():
    estate.put_in_force(smarthosts=[TO_SINK])
    for client, send in CLIENTS.items():
        for target, host in TARGETS.items():
            SINK.clear()
            send(host)
            message, = wait_until(lambda: [each for each in SINK.messages() if each.accepted], 30,
                                  f"a message by {client} through {target}")
            assert (message.sender, message.recipients) == ("marc@buildinglink.com", ["codemarc@gmail.com"])
            ours, _, theirs = message.raw.partition(b"Subject:")
            # CRLF line ends, and the empty line that keeps the text from being taken for a header (case 85).
            assert b"Subject:" + theirs == b"Subject: A Test\r\n\r\nThis is just a test\r\n"
            assert ours.startswith(b"Received: from 1 ") and ours.endswith(b"\r\n")
            assert b"[" + CLIENT.encode() + b"]" in ours
            assert ours.count(b"\n") == ours.count(b"\r\n") == ours.count(b"\r")


def test_dots_and_eight_bits_pass_unchanged():
    estate.put_in_force(smarthosts=[TO_SINK])
    content = b"Subject: =?x?= \xe9\r\n\r\n.\r\n..\r\n.dot\r\n\xff\xfe\x80\r\n" + b"x" * 5000 + b"\r\n\r\n"
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
    dialogue = (b"EHLO client.mail.test\r\nMAIL FROM:<a@example.com> BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
                + stuffed + b".\r\nQUIT\r\n")
    done = subprocess.run(cluster.inside_command("client", "nc.openbsd", BALANCER, 25), input=dialogue, timeout=30,
                          capture_output=True, check=True)
    assert b"\r\n250 2.0.0 OK queued as " in done.stdout, done.stdout
    message, = wait_until(lambda: [each for each in SINK.messages() if each.accepted], 30, "the message")
    assert message.content.endswith(b"\r\n" + content)
    assert "BODY=8BITMIME" in message.entry["mail"]


@pytest.mark.parametrize("node", NODES)
def test_a_client_that_the_network_hides_is_refused_and_told_why(node):
    """On a node itself: what connects from there comes from an address of the node's or of its network."""
    at_once = cluster.inside(node, "nc.openbsd", "-w", "20", ADDRESS[node], 25, input=QUICK_TEST).stdout
    for refusal in (at_once, estate.converse(node, ADDRESS[node], "EHLO pod.test", "MAIL FROM:<a@example.com>",
                                             "RCPT TO:<b@example.net>")[-1]):
        assert refusal.startswith("550 5.7.1 Relaying denied: the network hides the client behind "), refusal


def test_a_load_balancer_that_says_nothing_of_its_client_is_not_served():
    answer = estate.say(ADDRESS["node1"], 25, "EHLO lb.test", "MAIL FROM:<a@example.com>", source="lb")
    assert "250" not in answer, answer


def test_a_client_that_pretends_to_be_a_load_balancer_is_not_served():
    answer = estate.say(ADDRESS["node1"], 25, "PROXY TCP4 10.1.40.70 10.1.40.60 1 25", "EHLO x", "MAIL FROM:<a@example.com>")
    assert "250" not in answer, answer
