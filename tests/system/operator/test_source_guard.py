"""What the operator tells relays of the cluster's nodes, and what it says of clients that the network hides."""

import http.server
import json
import socket
import threading

import pytest
from raw_sink import RawSink
from relay import Relay, patiently
from waiting import stays_true, wait_until
from world import CORE, DAEMON_SETS

NODES = "/api/v1/nodes"
LIST = f"{CORE}/configmaps/edge-smtp-relay-nodes"
KIND = "SourceAddressPreserved"


def join(mail, name, address, pods):
    mail.api.create(NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
                            "spec": {"podCIDR": pods, "podCIDRs": [pods]}})
    mail.api.patch(f"{NODES}/{name}/status", {"status": {"addresses": [
        {"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]}})


@pytest.fixture
def cluster(mail):
    """Two nodes; more may join. All are gone in the end."""
    join(mail, "node-1", "127.0.0.1", "10.140.1.0/24")
    join(mail, "node-2", "127.0.0.2", "10.140.2.0/24")
    yield mail
    for node in mail.api.get(NODES)["items"]:
        mail.api.delete(f"{NODES}/{node['metadata']['name']}")


@pytest.fixture
def edge(cluster):
    """A relay of two pods on these nodes."""
    cluster.operator("operator-a")
    cluster.apply()
    cluster.wait_for_children()
    cluster.pod("edge-1", node="node-1")
    cluster.pod("edge-2", node="node-2")
    return cluster


def listed(mail):
    found = mail.api.find(LIST)
    return found["data"]["hidden_sources"].split() if found else None


def wait_for_list(mail, *lines, seconds=20):
    wait_until(lambda: listed(mail) == list(lines), seconds, f"the list says {lines}; now {listed(mail)}")


def writes_of_list(mail):
    return [write for write in mail.writes() if write["objectRef"].get("name") == "edge-smtp-relay-nodes"]


class Sources(http.server.ThreadingHTTPServer):
    """What a relay answers to GET /sources, at an address of its own."""

    def __init__(self, address):
        self.says, self.asked = {"own_addresses": True, "hidden": []}, 0
        super().__init__((address, 8025), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hide(self, *addresses):
        self.says = {"own_addresses": False, "hidden": [{"address": each, "refusals": 1, "seconds": 1} for each in addresses]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_it = self.path == "/sources"
        self.server.asked += is_it
        body = json.dumps(self.server.says).encode()
        self.send_response(200 if is_it else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    page = Sources("127.8.25.81")
    yield page
    page.shutdown()
    page.server_close()


def runs_at(mail, name, address):
    mail.pod_says(name, None, phase="Running", podIP=address, podIPs=[{"ip": address}],
                  conditions=[{"type": "Ready", "status": "True"}])


def test_relays_learn_the_addresses_of_all_nodes_and_no_pod_is_replaced_for_one_that_comes(edge):
    nodes = ["10.140.1.0/31", "10.140.2.0/31", "127.0.0.1", "127.0.0.2"]
    wait_for_list(edge, *nodes)
    generation = edge.child("DaemonSet")["metadata"]["generation"]
    volumes = edge.child("DaemonSet")["spec"]["template"]["spec"]["volumes"]
    assert [each["configMap"] for each in volumes if each["name"] == "nodes"] == [{
        "name": "edge-smtp-relay-nodes", "items": [{"key": "hidden_sources", "path": "hidden_sources", "mode": 0o440}],
        "defaultMode": 0o440, "optional": True}]
    before = len(writes_of_list(edge))
    for number in range(3, 9):
        join(edge, f"node-{number}", f"127.0.0.{number}", f"10.140.{number}.0/24")
    joined = [f"10.140.{number}.0/31" for number in range(1, 9)] + [f"127.0.0.{number}" for number in range(1, 9)]
    wait_for_list(edge, *joined, seconds=30)
    # 12 changes of nodes: one at once, and the rest together.
    assert len(writes_of_list(edge)) - before <= 3, writes_of_list(edge)
    for number in range(3, 9):
        edge.api.delete(f"{NODES}/node-{number}")
    wait_for_list(edge, *nodes, seconds=30)
    assert edge.child("DaemonSet")["metadata"]["generation"] == generation
    edge.api.patch(LIST, {"data": {"hidden_sources": "", "more": "x"}})
    wait_for_list(edge, *nodes)
    # Applied first, and then put back as a whole: what others own stays at an apply.
    wait_until(lambda: list(edge.api.get(LIST)["data"]) == ["hidden_sources"], 10, "nobody else has a say")


def test_pods_of_a_former_operator_stay_until_another_image_is_rolled_out(cluster):
    mail = cluster
    operator = mail.operator("operator-a")
    mail.apply()
    mail.wait_for_children()
    wait_until(lambda: listed(mail), 20, "there is a list")
    operator.stop()
    # As a former operator would have made it.
    daemon_set = mail.child("DaemonSet")
    pod = daemon_set["spec"]["template"]["spec"]
    for owner, field in ((pod, "volumes"), (pod["containers"][0], "volumeMounts")):
        owner[field] = [each for each in owner[field] if each["name"] != "nodes"]
    mail.api.request("PUT", f"{DAEMON_SETS}/{daemon_set['metadata']['name']}", daemon_set)
    mail.api.delete(LIST)
    before = mail.child("DaemonSet")["metadata"]["generation"]
    mail.operator("operator-b")
    mail.apply(limits={"maxMessageSize": "5Mi"})
    wait_until(lambda: "5Mi" in mail.settings(), 20, "the operator has looked")
    stays_true(lambda: mail.child("DaemonSet")["metadata"]["generation"] == before and listed(mail) is None, 2,
               "no pod is replaced for it")
    mail.apply(image="relay:2")
    wait_until(lambda: listed(mail), 20, "with another image they get it")
    assert "nodes" in [each["name"] for each in mail.child("DaemonSet")["spec"]["template"]["spec"]["volumes"]]


def test_hidden_clients_make_a_condition_and_an_event_and_their_end_too(edge, page):
    mail = edge
    assert "no relay has said yet" in mail.wait_for_condition(KIND, "Unknown", "Pending")
    runs_at(mail, "edge-1", page.server_address[0])
    mail.wait_for_condition(KIND, "True", "Preserved", seconds=40)
    page.hide("127.0.0.2", "10.140.1.1", "192.0.2.7")
    message = mail.wait_for_condition(KIND, "False", "ClientsHidden", seconds=45)
    assert "on node-1 from 10.140.1.1 (gateway of node-1's pods), 127.0.0.2 (node-2), 192.0.2.7;" in message
    assert "PROXY protocol" in message and "access.allowedNetworks" in message
    assert "10.140.1.1 (gateway of node-1's pods)" in mail.wait_for_event("Warning", "ClientsHidden")
    assert mail.wait_for_condition("Degraded", "True", "ClientsHidden")
    asked = page.asked
    writes = len(mail.writes())
    wait_until(lambda: page.asked > asked, 45, "it is asked again")
    stays_true(lambda: len(mail.writes()) == writes, 3, "the same is no news")
    page.says = {"own_addresses": False, "hidden": []}
    mail.wait_for_condition(KIND, "Unknown", "NoClients", seconds=45)
    page.says = {"own_addresses": True, "hidden": []}
    mail.wait_for_condition(KIND, "True", "Preserved", seconds=45)


def test_a_real_relay_closes_for_the_nodes_of_the_list_and_is_told_of(edge, tmp_path):
    mail = edge
    wait_until(lambda: listed(mail), 20, "there is a list")
    # What kubelet would write.
    (tmp_path / "nodes").write_text(mail.api.get(LIST)["data"]["hidden_sources"])
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}", hidden_sources_file=tmp_path / "nodes")
        relay.settings["http_listen"] += ",127.8.25.82:8025"
        with relay.start():
            with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20, source_address=("127.0.0.2", 0)) as client, \
                    client.makefile("rb") as reader:
                for line in (b"", b"HELO x\r\n", b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.net>\r\n"):
                    client.sendall(line)
                    answer = reader.readline()
            assert answer.startswith(b"550 5.7.1 Relaying denied: the network hides the client behind 127.0.0.2 "), answer
            patiently(lambda: "127.0.0.2" in relay.get("/sources")[1], 10, "the relay knows")
            runs_at(mail, "edge-1", "127.8.25.82")
            assert "on node-1 from 127.0.0.2 (node-2);" in mail.wait_for_condition(KIND, "False", "ClientsHidden", seconds=45)


def test_children_that_pods_read_know_nothing_of_it(edge):
    """The settings, the Service and the ServiceAccount are as if there were no list."""
    wait_until(lambda: listed(edge), 20, "there is a list")
    assert "hidden_sources_file" not in edge.settings()
    assert set(edge.child("ConfigMap")["data"]) == {edge.settings_key()}
