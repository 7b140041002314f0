"""What the F5, Kubernetes and Prometheus ask."""

import json
import socket

import pytest
from certificates import Authority
from raw_sink import RawSink
from ports import free_ports
from relay import Client, Relay, patiently


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    with RawSink(folder / "sink") as sink:
        with Relay(folder, smarthost=f"127.0.0.1:{sink.port}", node_name="node7", pod_name="edge-x") as relay:
            yield relay


def raw(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize("request_octets", [
    b"GET /health\r\n", b"GET /health\n", b"GET /health HTTP/1.0\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
])
def test_health_answers_every_form_of_probe(relay, request_octets):
    answer = raw(relay.http_port, request_octets)
    assert " 200 OK\r\n" in answer
    assert answer.endswith("\r\n\r\nOK\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_say_ok(relay, path):
    assert relay.get(path) == (200, "OK\n")


def test_node_says_who_answers(relay):
    facts = json.loads(relay.get("/node")[1])
    assert facts["node"] == "node7"
    assert facts["pod"] == "edge-x"
    assert facts["version"].startswith("0.")
    assert facts["uptime"] >= 0
    assert (facts["accepting"], facts["sessions"], facts["waiting"], facts["failed"]) == (True, 0, 0, 0)


def test_metrics_answer_where_health_does_when_they_have_no_listener(relay):
    status, text = relay.get("/metrics")
    assert status == 200
    assert "smtp_relay_messages_received_total 0\n" in text
    for line in text.splitlines():
        assert line.startswith(("# HELP smtp_relay_", "# TYPE smtp_relay_", "smtp_relay_")), line


def test_metrics_have_a_listener_of_their_own_when_told(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        relay = Relay(tmp_path, smarthost=f"127.0.0.1:{sink.port}")
        relay.settings["metrics_listen"] = "127.0.0.1:" + relay.settings["admin_listen"].split(":")[1]
        relay.settings["admin_listen"] = "127.0.0.1:0"
        with relay:
            assert relay.get("/metrics")[0] == 404
            assert relay.get("/metrics", relay.admin_port)[0] == 200
            assert relay.get("/health", relay.admin_port)[0] == 404


def send(relay):
    with Client(relay.smtp_port) as client:
        client.send()


def test_health_fails_while_the_smarthost_is_down_where_that_is_wanted(tmp_path):
    file, port = tmp_path / "relay.json", free_ports(1)[0]

    def write(**settings):
        part = tmp_path / "part"
        part.write_text(json.dumps(settings))
        part.rename(file)

    write(health_fail_on=["smarthost_down"])
    relay = Relay(tmp_path, smarthost=f"127.0.0.1:{port}")
    with relay.start(arguments=["--config", str(file)]):
        assert relay.get("/health") == (200, "OK\n")
        send(relay)
        words = "no host for smarthost default can be used, and mail waits\n"
        patiently(lambda: relay.get("/health") == (503, words), 10, "/health is 503")
        assert relay.get("/readyz") == (200, "OK\n")
        assert relay.metric("ready") == 1
        facts = json.loads(relay.get("/node")[1])
        assert facts["ready"] and "reason" not in facts, "it takes mail all the same"
        record, = patiently(lambda: relay.records("unhealthy"), 5, "the log says so")
        assert (record["reason"] + "\n", record["ready"]) == (words, True)
        send(relay)
        write()
        patiently(lambda: relay.get("/health") == (200, "OK\n"), 10, "it is wanted no more")
        write(health_fail_on=["smarthost_down", "credentials_refused"])
        patiently(lambda: relay.get("/health") == (503, words), 10, "and wanted again")
        with RawSink(tmp_path / "sink", listen=(("127.0.0.1", port),)):
            patiently(lambda: relay.get("/health") == (200, "OK\n"), 20, "the smarthost is back")
            patiently(relay.is_empty, 20, "all is delivered")


def test_health_fails_while_credentials_are_refused_where_that_is_wanted(tmp_path):
    authority = Authority(tmp_path / "pki")
    (tmp_path / "passwd.client").write_text("localhost:user:wrong\n")
    with RawSink(tmp_path / "sink", tls=authority.issue("localhost"), credentials=("user", "right"),
                 require_auth=True) as sink:
        with Relay(tmp_path, smarthost=f"localhost:{sink.port}", smarthost_tls="required", smarthost_ca=authority.certificate,
                   health_fail_on="credentials_refused") as relay:
            send(relay)
            words = "smarthost default refuses our credentials\n"
            patiently(lambda: relay.get("/health") == (503, words), 20, "/health is 503")
            assert relay.get("/readyz") == (200, "OK\n")
            (tmp_path / "passwd.client").write_text("localhost:user:right\n")
            patiently(lambda: relay.get("/health") == (200, "OK\n"), 20, "they are taken")


def test_the_admin_interface_wants_its_token(relay):
    assert relay.get("/v1/queue", relay.admin_port)[0] == 401
    token = relay.folder / "spool" / "admin.token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert relay.queue() == []
    assert "ready" in relay.ctl("status")
