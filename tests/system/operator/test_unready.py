"""Why relays are not ready, in their own words. What kubelet says of such a pod is no more than that it is so."""

import http.server
import json
import threading

import pytest
from relay import Relay
from waiting import stays_true, wait_until
from world import CHILDREN

KUBELETS = "containers with unready status: [relay]"
FULL = "the spool's file system has 7 % free, below spool_min_free_percent 10"


class Page(http.server.ThreadingHTTPServer):
    """What a relay answers to GET /node at an address of its own."""

    def __init__(self, number):
        self.address, self.reason, self.asked = f"127.8.25.{number}", FULL, 0
        super().__init__((self.address, 8025), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/node":  # with which addresses clients come, other tests ask
            return self.send_error(404)
        self.server.asked += 1
        facts = {"ready": False, "reason": self.server.reason, "accepting": True, "sessions": 0, "waiting": 0, "failed": 0}
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    page = Page(71)
    yield page
    page.end()


@pytest.fixture
def mail_of_two(mail):
    """A relay whose two nodes took mail; then neither does."""
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.roll_out(2, 2)
    mail.wait_for_condition("Progressing", "False", "RolloutComplete")
    mail.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {"numberAvailable": 0, "numberReady": 0}})
    return mail


def is_unready(mail, name, node, address):
    mail.pod(name, node=node)
    says(mail, name, address, "False", message=KUBELETS)


def says(mail, name, address, ready, **more):
    mail.pod_says(name, None, phase="Running", podIP=address, podIPs=[{"ip": address}],
                  conditions=[{"type": "Ready", "status": ready, **more}])


def told(mail):
    """What Ready and Degraded say of pods."""
    return [mail.condition(kind)[2] for kind in ("Ready", "Degraded")]


def wait_until_told(mail, words, seconds):
    wait_until(lambda: all(words in message for message in told(mail)), seconds, f"{words}; now {told(mail)}")


def test_a_relay_that_is_not_ready_is_told_of_in_its_own_words(mail_of_two, page):
    mail = mail_of_two
    is_unready(mail, "edge-1", "node-1", page.address)
    wait_until_told(mail, f"node-1: NotReady ({FULL})", 15)
    assert mail.condition("Degraded")[:2] == ("True", "PodsNotAvailable")
    writes = len(mail.writes())
    asked = page.asked
    wait_until(lambda: page.asked > asked, 45, "it is asked again while it is unready")
    stays_true(lambda: len(mail.writes()) == writes, 3, "the same words are no news")
    page.reason = "a write to the spool has lasted 12s"
    wait_until_told(mail, f"node-1: NotReady ({page.reason})", 45)
    says(mail, "edge-1", page.address, "True")
    mail.roll_out(2, 2)
    mail.wait_for_condition("Degraded", "False", "AsExpected")
    asked = page.asked
    stays_true(lambda: page.asked == asked, 35, "a relay that is ready is not asked")


def test_of_a_relay_that_does_not_answer_kubelets_words_are_told_and_those_of_the_others(mail_of_two, page):
    mail = mail_of_two
    is_unready(mail, "edge-1", "node-1", "127.8.25.99")  # where nobody listens
    is_unready(mail, "edge-2", "node-2", page.address)
    wait_until_told(mail, f"node-1: NotReady ({KUBELETS}), and 1 more", 10)
    wait_until(lambda: page.asked, 15, "both are asked")
    says(mail, "edge-1", "127.8.25.99", "True")
    wait_until_told(mail, f"node-2: NotReady ({FULL})", 10)


def test_a_real_relay_that_somebody_drained_is_told_of_in_its_words(mail_of_two, tmp_path):
    annotations = tmp_path / "annotations"
    annotations.write_text('smtp.buildinglink.com/drain="maintenance"\n')
    relay = Relay(tmp_path, smarthost="127.0.0.1:1", pod_annotations=annotations)
    relay.settings["http_listen"] += ",127.8.25.72:8025"
    try:
        relay.start(wait=False)
        is_unready(mail_of_two, "edge-1", "node-1", "127.8.25.72")
        # It may still start when it is asked first.
        wait_until_told(mail_of_two, "node-1: NotReady (drained by the pod's annotation smtp.buildinglink.com/drain)", 45)
    finally:
        relay.stop()
