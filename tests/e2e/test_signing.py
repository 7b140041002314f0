"""DKIM with a key from a Secret: what arrives verifies, and another key is in force without a restart."""

import itertools
import time

import estate
import signing
import smarthost
from cluster import ADDRESS, NODES
from estate import NAMESPACE
from waiting import wait_until

numbers = itertools.count()


def through(node, sender):
    """A message that went in at a node, as it arrived."""
    subject = f"signed-{next(numbers)}"
    estate.submit(sender, "b@example.net", subject=subject, host=ADDRESS[node])

    def arrived():
        return [each for each in smarthost.deliveries() if each.message["Subject"] == subject]
    message, = wait_until(arrived, 30, f"{subject} in the mailbox", every=0.1)
    return message.raw


def wait_until_signed_with(key, seconds):
    sender = f"a@{signing.DOMAIN}"
    wait_until(lambda: all([key.verifies(through(node, sender)) for node in NODES]), seconds, "every node signs with the key")


def test_what_arrives_is_signed_with_the_secrets_key_and_another_is_in_force_without_a_restart():
    first = signing.present()
    before = estate.restarts(estate.pods())
    wait_until_signed_with(first, 30)
    begun = time.monotonic()
    second = signing.rotate(NAMESPACE)
    wait_until_signed_with(second, 10)
    print(f"another key was in force on every node after {time.monotonic() - begun:.1f} s")
    assert estate.restarts(estate.pods()) == before
    for node in NODES:
        raw = through(node, f"a@{signing.DOMAIN}")
        assert second.verifies(raw) and not first.verifies(raw), raw
    for key in (first, second):
        line = key.private.splitlines()[1]
        for place, text in estate.everything_that_is_told():
            assert line not in text, f"the key stands in {place}"


def test_a_domain_without_a_key_is_not_signed_for():
    assert b"DKIM-Signature" not in through("node1", "a@example.com")
