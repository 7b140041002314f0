"""The pods as a cluster sees them: probes, what they may do, and what they carry."""

import json
import pathlib

import cluster
import estate
import pytest
from cluster import ADDRESS, NODES, kubectl
from estate import NAMESPACE
from waiting import wait_until

OPERATOR_POD = "smtp-relay-operator-"
# What Pod Security may say against a relay's pod.
EXCUSED = {
    "hostPort", "restricted volume types",  # the node's port and folder
    "unrestricted capabilities", "runAsNonRoot != true", "runAsUser=0",  # the init container, which hands over the folder
}


@pytest.mark.parametrize("request_lines", [["GET /health HTTP/1.1", "Host: node", "Connection: close", ""],
                                           ["GET /health HTTP/1.0", ""], ["GET /health"]],
                         ids=["HTTP/1.1", "HTTP/1.0", "without a version"])
def test_the_load_balancers_probe_is_answered(request_lines):
    for node in NODES:
        answer = estate.say(ADDRESS[node], 8025, *request_lines, source="lb")
        assert answer.rstrip().endswith("OK"), answer


def test_a_node_says_who_it_is():
    for node, pod in estate.pods().items():
        answer = estate.say(ADDRESS[node], 8025, "GET /node HTTP/1.0", "")
        told = json.loads(answer.partition("\n\n")[2])
        assert (told["node"], told["pod"]) == (node, pod["metadata"]["name"])
        assert told["version"] and told["uptime"] >= 0


def test_everything_but_host_port_host_path_and_the_init_container_is_of_the_level_restricted():
    done = cluster.run(cluster.ROOT / "hack/cluster/kubectl", "label", "namespace", NAMESPACE, "--dry-run=server",
                       "--overwrite", "pod-security.kubernetes.io/enforce=restricted")
    warnings = [line for line in done.stderr.splitlines() if "smtp-relay" in line]
    assert warnings, done.stderr
    assert not [line for line in warnings if OPERATOR_POD in line], "the operator's pod has nothing to be excused"
    for line in warnings:
        assert set(line.split(": ", 2)[-1].split(", ")) <= EXCUSED, line


def test_a_relay_pod_has_no_token_and_can_write_nowhere_but_to_its_spool():
    pod = estate.pods()["node1"]["metadata"]["name"]

    def shell(command):
        return kubectl("-n", NAMESPACE, "exec", pod, "-c", "relay", "--", "sh", "-c", command + "; true")
    assert shell("ls /var/run/secrets 2>&1").strip().endswith("No such file or directory")
    assert shell("id -u").strip() == "2525"
    assert "Read-only file system" in shell("touch /etc/x 2>&1")
    assert shell("grep CapEff /proc/1/status").split()[1].strip("0") == "", "no capability"
    assert shell("stat -c %u /proc/1/environ").strip() == "0", "no other process of its user sees into the relay"
    assert shell("stat -Lc %a /etc/exim4/passwd.client").strip() == "440"
    assert shell("stat -c %a /var/spool/smtp-relay").strip() == "700"
    assert shell("stat -c %a /var/spool/smtp-relay/admin.token").strip() == "600"


@pytest.mark.parametrize("program, pod", [
    ("/usr/bin/smtp-relay", lambda: estate.pods()["node1"]),
    ("/usr/bin/smtp-relay-operator", estate.operator_pod),
], ids=["relay", "operator"])
def test_the_kernel_filters_the_system_calls_of_each_program_Case144(program, pod):
    # RuntimeDefault is a word of the pod's; whether a filter is in force (2, proc(5)) is the runtime's.
    status = pathlib.Path(f"/proc/{estate.process_of(pod(), program)}/status").read_text()
    assert "\nSeccomp:\t2\n" in status, status


def test_relayctl_lists_what_waits_with_its_reason():
    cluster.peer("stop", "smarthost")
    estate.say(ADDRESS["node1"], 25, "EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA",
               "Subject: waits", "", "x", ".", "QUIT")
    pod = estate.pods()["node1"]

    def shown():
        message, = json.loads(estate.ctl(pod, "queue", "--json"))
        return message["sender"] == "a@example.com" and message["state"] == "waiting"
    wait_until(shown, 20, "it is listed")
    wait_until(lambda: estate.SMARTHOST in estate.ctl(pod, "queue"), 20, "the table says what it waits for")
