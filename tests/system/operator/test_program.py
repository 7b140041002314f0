"""The program from outside: command line, rights, endpoints."""

import re
import subprocess

import pytest
import world
from ports import free_port
from processes import PROGRAM, ROOT, Operator
from waiting import stays_true, wait_until


def run(*arguments, **environment):
    return subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=20,
                          env={"PATH": "/usr/bin", **environment})


def version():
    return re.search(r"^project\(.* VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]


def test_it_explains_itself():
    done = run("--help")
    assert done.returncode == 0 and "--relay-image" in done.stdout
    assert run("--version").stdout.strip() == f"smtp-relay-operator {version()}"


@pytest.mark.parametrize("arguments, words", [
    ([], "give --kubeconfig FILE"),
    (["--kubeconfig", "/no/such/file"], "cannot read kubeconfig /no/such/file"),
    (["--kubeconfig", "/dev/null"], "not a YAML mapping"),
    (["--renew-deadline", "20s"], "--renew-deadline must be shorter than --lease-duration"),
    (["--lease-duration", "soon"], "--lease-duration: 'soon' is not a duration"),
    (["--spool-root", "relative"], "--spool-root must be an absolute path"),
    (["--health-addr", "nowhere"], "--health-addr: 'nowhere' is not host:port"),
    (["--namespaces", "mail,*"], "--namespaces: * stands alone"),
    (["--controller-id", "Blue_1"], "small letters, digits and inner hyphens"),
    (["--qps", "0"], "qps"),
    (["--pod-monitor-labels", "release"], "--pod-monitor-labels: 'release' is not key=value"),
    (["--rule-labels", "a=b,=c"], "--rule-labels: '=c' is not key=value"),
    (["--no-such-flag"], "--no-such-flag"),
])
def test_a_wrong_command_line_is_refused_with_a_reason(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout


def test_an_address_that_is_taken_is_named(mail):
    first = mail.operator()
    second = Operator("second", mail.plane.kubeconfig("operator-b", token="operator-b-token"), mail.folder)
    second.command[second.command.index("--health-addr") + 1] = f"127.0.0.1:{first.health_port}"
    second.start(ready=False)
    assert second.process.wait(10) == 1
    second.process = None
    assert f"cannot listen on 127.0.0.1:{first.health_port}" in second.log.read_text()


def test_endpoints_answer_and_rights_suffice(mail):
    operator = mail.operator()
    mail.apply()
    mail.wait_for_children()
    assert operator.http(operator.health_port, "/healthz") == (200, "ok\n")
    assert operator.http(operator.health_port, "/readyz") == (200, "ok\n")
    assert operator.http(operator.health_port, "/metrics")[0] == 404
    status, text = operator.http(operator.metrics_port, "/metrics")
    assert status == 200
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    for name in ("controller_runtime_reconcile_total", "workqueue_adds_total", "leader_election_master_status",
                 "rest_client_requests_total", "rest_client_request_duration_seconds_bucket"):
        assert name in names
    assert not re.search(r'rest_client_requests_total\{code="40[13]"', text), "the chart's rights are enough"


def test_one_address_may_serve_all(mail):
    operator = Operator("operator-a", mail.plane.kubeconfig("operator-a"), mail.folder)
    mail.operators.append(operator)
    operator.command[operator.command.index("--metrics-addr") + 1] = f"127.0.0.1:{operator.health_port}"
    operator.start()
    assert operator.http(operator.health_port, "/metrics")[0] == 200


def test_it_waits_for_a_server_that_is_away_and_for_its_definition(mail):
    path = mail.plane.kubeconfig("operator-a", port=free_port())
    operator = Operator("lonely", path, mail.folder)
    mail.operators.append(operator)
    operator.start(ready=False)
    wait_until(lambda: operator.records("list_failed"), 10, "it says that nobody answers")
    assert operator.http(operator.health_port, "/readyz")[0] == 503
    assert operator.http(operator.health_port, "/healthz")[0] == 200
    assert operator.stop() == 0


def test_it_serves_the_whole_cluster(mail, plane):
    """Namespaces that come later too, by one watch a kind."""
    operator = Operator("everywhere", plane.kubeconfig("admin"), mail.folder, "--namespaces", "*")
    mail.operators.append(operator)
    operator.start()
    mail.apply()
    mail.wait_for_children()
    plane.kubectl("create", "namespace", "third")
    body = world.relay()
    body["metadata"]["namespace"] = "third"
    body["spec"]["network"], body["spec"]["health"] = {"port": 27}, {"hostPort": 8027}
    body["spec"]["passwdClientSecretRef"] = {"name": "credentials"}
    plane.api.create("/apis/smtp.buildinglink.com/v1alpha1/namespaces/third/smtprelays", body)
    plane.api.create("/api/v1/namespaces/third/secrets", {"metadata": {"name": "credentials"}, "stringData": {"passwd.client": "a:b:c"}})
    theirs = "/apis/apps/v1/namespaces/third/daemonsets/edge-smtp-relay"
    wait_until(lambda: plane.api.find(theirs), 10, "its DaemonSet")
    plane.api.delete(theirs)
    wait_until(lambda: plane.api.find(theirs), 5, "it is back")
    listed = [record for record in operator.records("listed")]
    assert len(listed) == 9 and {record["namespace"] for record in listed} == {""}, listed


def test_two_operators_with_ids_live_in_one_namespace(mail):
    """Each serves the relays with its id, both lead, and a relay can be handed over."""
    label = "smtp.buildinglink.com/controller-id"
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator-leader-election"
    rules = mail.plane.api.get(roles)["rules"]
    named = [dict(rule, resourceNames=["smtp-relay-operator", "smtp-relay-operator-blue"]) if "resourceNames" in rule else rule
             for rule in rules]
    try:
        mail.plane.api.patch(roles, {"rules": named})
        plain = mail.operator("operator-a")
        blue = mail.operator("operator-b", "--controller-id=blue")
        wait_until(lambda: plain.is_leading() and blue.is_leading(), 20, "both lead")
        # Alerts must not take them for two leaders of one Lease.
        assert blue.metric('leader_election_master_status{name="smtp-relay-operator-blue"}') == 1
        mail.apply()
        mail.wait_for_children()
        assert not mail.writes("operator-b")
        mail.api.patch(f"{world.RELAYS}/edge", {"metadata": {"labels": {label: "blue"}}})
        mail.api.patch(f"{world.RELAYS}/edge", {"spec": {"limits": {"maxMessageSize": "5Mi"}}})
        wait_until(lambda: "5Mi" in mail.settings(), 10, "the other one applies it")
        wait_until(lambda: mail.writes("operator-b"), 5, "the server's audit tells of it")
        before = len(mail.writes("operator-a"))
        mail.api.patch(world.CHILDREN["ConfigMap"], {"data": {"more": "x"}})
        wait_until(lambda: "more" not in mail.child("ConfigMap")["data"], 5, "the drift is gone")
        stays_true(lambda: len(mail.writes("operator-a")) == before, 2, "the first one writes nothing")
        assert not [reason for _, reason, _ in mail.events() if reason.startswith("Spool")], "it is not deleted"
    finally:
        mail.plane.api.patch(roles, {"rules": rules})


def test_what_another_manager_keeps_is_left_to_it(mail):
    mail.api.create(f"{world.CORE}/configmaps", {"metadata": {
        "name": "edge-smtp-relay", "labels": {"app.kubernetes.io/managed-by": "Helm"}}, "data": {"theirs": "yes"}})
    mail.operator()
    mail.apply()
    assert "is managed by Helm" in mail.wait_for_condition("Ready", "False", "NameConflict")
    assert mail.child("DaemonSet") is None and mail.child("ConfigMap")["data"] == {"theirs": "yes"}
    mail.api.patch(world.CHILDREN["ConfigMap"], {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
    wait_until(lambda: mail.child("DaemonSet"), 40, "it was handed over")


def preflight(mail, *flags):
    return subprocess.run([str(PROGRAM), "--kubeconfig", str(mail.plane.kubeconfig("operator-a")), "--preflight", *flags],
                          capture_output=True, text=True, timeout=30)


def test_the_preflight_says_which_rights_are_missing(mail, plane):
    done = preflight(mail)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO" not in done.stdout and "no:" not in done.stdout
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
    rules = plane.api.get(roles)["rules"]
    poorer = [rule for rule in rules if rule["resources"] not in (["daemonsets"], ["events"])]
    poorer.append({"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "list", "watch", "create", "update"]})
    try:
        plane.api.patch(roles, {"rules": poorer})
        done = preflight(mail)
        assert done.returncode == 1
        missing = [line.split() for line in done.stdout.splitlines() if " NO: " in line or " no: " in line]
        assert [words[:4] for words in missing] == [
            ["mail", "daemonsets.apps", "patch", "NO:"], ["mail", "events.events.k8s.io", "create", "no:"],
            ["mail", "events.events.k8s.io", "patch", "no:"], ["mail", "events.events.k8s.io", "list", "no:"]], done.stdout
        running = mail.operator()
        wait_until(lambda: len(running.records("right_missing")) == 4, 10, "the log says the same")
        assert running.records("right_missing")[0]["verb"] == "patch"
    finally:
        plane.api.patch(roles, {"rules": rules})


def test_the_preflight_of_a_whole_cluster_asks_for_rights_everywhere(mail):
    done = preflight(mail, "--namespaces", "*")
    assert done.returncode == 1 and "(all)" in done.stdout


def test_the_preflight_says_that_nobody_answers(mail):
    done = subprocess.run([str(PROGRAM), "--kubeconfig", str(mail.plane.kubeconfig("operator-a", port=free_port())), "--preflight"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "smtp-relay-operator:" in done.stderr


def test_it_serves_several_namespaces(mail, plane):
    """Each has a relay before the operator starts: the list of one must not make it forget the other's."""
    plane.kubectl("create", "namespace", "second")
    elsewhere = "/apis/smtp.buildinglink.com/v1alpha1/namespaces/second/smtprelays"
    theirs = "/apis/apps/v1/namespaces/second/daemonsets/edge-smtp-relay"
    body = world.relay()
    body["metadata"]["namespace"] = "second"
    plane.api.create(elsewhere, body)
    mail.apply()
    mail.operators.append(Operator("both", plane.kubeconfig("admin"), mail.folder, "--namespaces", "mail,second"))
    mail.operators[-1].start()
    mail.wait_for_children()
    wait_until(lambda: plane.api.find(theirs), 10, "its DaemonSet")
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]
    for path in (world.CHILDREN["DaemonSet"], theirs):
        plane.api.patch(path, image, kind="json")
        wait_until(lambda: plane.api.get(path)["spec"]["template"]["spec"]["containers"][0]["image"] == "relay:test", 5,
                   f"the drift of {path} is repaired")


class InPod(Operator):
    """The operator as it runs in a pod: it finds its ServiceAccount's files where kubelet puts them.

    They lie in a mount namespace of the process's own; the machine's /run is left alone.
    """

    def __init__(self, mail, files):
        super().__init__("in-pod", "none", mail.folder)
        place = "/run/secrets/kubernetes.io/serviceaccount"
        script = f'mount -t tmpfs tmpfs /run && mkdir -p {place} && mount --bind "$0" {place} && exec "$@"'
        own = [part for part in self.command if part not in ("--kubeconfig", "none")]
        self.command = ["unshare", "--mount", "env", "KUBERNETES_SERVICE_HOST=127.0.0.1",
                        f"KUBERNETES_SERVICE_PORT={mail.plane.api_port}", "POD_NAME=operator-0",
                        "sh", "-c", script, str(files), *own]


def test_in_a_pod_it_is_its_service_account_and_follows_its_token(mail, plane):
    account = f"{world.CORE}/serviceaccounts/smtp-relay-operator"
    files = mail.folder / "serviceaccount"
    files.mkdir()
    (files / "namespace").write_text("mail")
    (files / "ca.crt").write_text(plane.pki.text("ca.crt"))

    def give_token():
        plane.api.create(f"{world.CORE}/serviceaccounts", {"metadata": {"name": "smtp-relay-operator"}})
        token = plane.api.create(account + "/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"]
        (files / "token").write_text(token)

    give_token()
    operator = InPod(mail, files)
    mail.operators.append(operator)
    operator.start()
    mail.apply()
    mail.wait_for_children()
    assert plane.api.get(f"{world.LEASES}/smtp-relay-operator")["spec"]["holderIdentity"].startswith("operator-0_")
    # The account goes, and its token with it; another of the same name has another token.
    plane.api.delete(account)
    give_token()
    mail.apply(limits={"maxMessageSize": "5Mi"})
    wait_until(lambda: "5Mi" in mail.settings(), 90, "the new token is in use")
    assert operator.check_alive()


def test_a_right_that_is_missing_is_named(mail, plane):
    """Without the right to create DaemonSets; it is given back while the operator runs."""
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
    rules = plane.api.get(roles)["rules"]
    poorer = [rule for rule in rules if rule["resources"] != ["daemonsets"]]
    poorer.append({"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "list", "watch"]})
    try:
        plane.api.patch(roles, {"rules": poorer})
        mail.operator()
        mail.apply()
        message = mail.wait_for_condition("Ready", "False", "Forbidden", seconds=15)
        assert "daemonsets" in message and "see the operator's RBAC" in message
    finally:
        plane.api.patch(roles, {"rules": rules})
    mail.wait_for_condition("Ready", "False", "RolloutInProgress", seconds=60)
