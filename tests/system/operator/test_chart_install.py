"""Releases of the chart in an API server of their own: definition, rights, `helm test`, the samples."""

import contextlib
import os
import shutil
import subprocess

import pytest
import yaml
from charts import CHART, DEFINITION, RELEASE, SAMPLES, copy_of_chart, helm, only, render
from control_plane import TOOLS, ControlPlane
from processes import Operator, Process
from test_chart_rights import compare
from test_references import pair
from waiting import wait_until

NAMESPACE = "email"
RELAYS = f"/apis/smtp.buildinglink.com/v1alpha1/namespaces/{NAMESPACE}/smtprelays"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEFINITION}"
MINIMAL = {"apiVersion": "smtp.buildinglink.com/v1alpha1", "kind": "SmtpRelay", "metadata": {"name": "smtp", "namespace": NAMESPACE},
           "spec": {"access": {"allowedNetworks": ["10.20.0.0/16"]}}}
CREDENTIALS = ["create", "secret", "generic", "passwd-client", "-n", NAMESPACE,
               "--from-literal=passwd.client=smtp.example.net:user:password"]
ESTATES = sorted(path.parent.name for path in SAMPLES.glob("*/relay.yaml"))


class Cluster:
    """A control plane where nothing is installed, and Helm as its administrator."""

    def __init__(self, plane, folder):
        self.plane, self.api, self.kubectl, self.folder = plane, plane.api, plane.kubectl, folder

    def helm(self, *arguments, check=True):
        return helm(*arguments, "--kubeconfig", self.plane.kubeconfig("admin"), "--namespace", NAMESPACE, folder=self.folder,
                    check=check)

    def install(self, *options, chart=CHART, release=RELEASE, check=True):
        """Installs or upgrades, and waits until SmtpRelays can be listed."""
        said = self.helm("upgrade", "--install", release, chart, *options, check=check)
        if check:
            wait_until(lambda: self.api.find(RELAYS) is not None, 30, "SmtpRelays can be listed")
        return said

    def definition(self):
        return self.api.find(CRD)

    def token(self, account=RELEASE):
        return self.kubectl("create", "token", account, "-n", NAMESPACE).strip()

    def operator(self, *flags):
        """An operator as the release's ServiceAccount, in the place of its pod."""
        config = self.plane.kubeconfig("release", token=self.token())
        # Its Lease is in the namespace of its pod.
        config.write_text(config.read_text().replace('"namespace": "mail"', f'"namespace": "{NAMESPACE}"'))
        return Operator("release", config, self.folder, "--namespaces", NAMESPACE, *flags).start()

    def clear(self):
        for release in self.helm("list", "-q").split():
            self.helm("uninstall", release)
        if self.definition():
            self.kubectl("delete", "crd", DEFINITION)
        for kind in ("daemonsets", "configmaps", "serviceaccounts", "services", "secrets", "leases"):
            self.kubectl("delete", kind, "--all", "-n", NAMESPACE)


@pytest.fixture(scope="module")
def empty_plane(tmp_path_factory):
    plane = ControlPlane(tmp_path_factory.mktemp("chart"))
    try:
        plane.start()
        namespace = SAMPLES / "namespace.yaml"
        plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", namespace)
        plane.kubectl("apply", "-f", namespace)
        yield plane
    finally:
        plane.stop()


@pytest.fixture
def cluster(empty_plane, tmp_path):
    cluster = Cluster(empty_plane, tmp_path)
    cluster.clear()
    return cluster


def next_chart(folder):
    """The chart of a later version, whose definition has one field more."""
    file = f"files/{DEFINITION.split('.', 1)[1]}_smtprelays.yaml"
    definition = yaml.safe_load((CHART / file).read_text())
    fields = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields["motto"] = {"type": "string", "maxLength": 64, "description": "What a later version knows."}
    return copy_of_chart(folder, **{file: yaml.safe_dump(definition)})


# ---- the definition ----


def test_an_upgrade_upgrades_the_definition_and_keeps_what_is_there(cluster):
    cluster.install()
    before = cluster.api.create(RELAYS, MINIMAL)
    assert "motto" not in cluster.kubectl("explain", "smr.spec", check=False)
    cluster.install(chart=next_chart(cluster.folder))
    wait_until(lambda: "What a later version knows" in cluster.kubectl("explain", "smr.spec.motto", check=False), 20,
               "the new field is explained")
    assert cluster.api.get(f"{RELAYS}/smtp") == before
    wait_until(lambda: cluster.api.patch(f"{RELAYS}/smtp", {"spec": {"motto": "custody"}})["spec"].get("motto") == "custody", 20,
               "the new field is kept")


def test_uninstalling_leaves_the_definition_and_all_relays(cluster):
    cluster.install()
    before = cluster.api.create(RELAYS, MINIMAL)
    said = cluster.helm("uninstall", RELEASE)
    assert DEFINITION in said, "Helm says what it keeps"
    assert cluster.api.find(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}") is None
    assert cluster.definition()
    assert cluster.api.get(f"{RELAYS}/smtp") == before
    # The same release takes it up again; another one wants to be told so.
    cluster.install()
    cluster.helm("uninstall", RELEASE)
    refused = cluster.install(release="other", check=False)
    assert "cannot be imported into the current release" in refused and DEFINITION in refused
    cluster.install("--take-ownership", release="other")
    assert cluster.definition()["metadata"]["annotations"]["meta.helm.sh/release-name"] == "other"
    assert cluster.api.get(f"{RELAYS}/smtp") == before


def test_a_release_that_no_longer_carries_the_definition_leaves_it(cluster):
    cluster.install()
    cluster.api.create(RELAYS, MINIMAL)
    cluster.install("--set", "crds.enabled=false")
    assert cluster.api.get(f"{RELAYS}/smtp")


def test_without_keep_the_definition_goes_with_the_release(cluster):
    cluster.install("--set", "crds.keep=false")
    cluster.helm("uninstall", RELEASE)
    wait_until(lambda: cluster.definition() is None, 20, "the definition is gone")


# ---- rights ----


def test_the_accounts_rights_suffice_and_end_at_its_namespaces(cluster):
    cluster.install()
    cluster.kubectl(*CREDENTIALS)
    cluster.api.create(RELAYS, MINIMAL)
    with running(cluster.operator()) as operator:
        wait_until(lambda: accepted(cluster), 40, "the operator applies the relay")
        refused = [line for line in operator.http(operator.metrics_port, "/metrics")[1].splitlines()
                   if line.startswith(('rest_client_requests_total{code="401', 'rest_client_requests_total{code="403'))]
        assert not refused, refused
    account = f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}"
    for question, answer in (
            (["list", "secrets", "-n", NAMESPACE], "yes"), (["list", "secrets", "-n", "default"], "no"),
            (["list", "smtprelays.smtp.buildinglink.com", "-A"], "no"), (["create", "smtprelays.smtp.buildinglink.com", "-n", NAMESPACE], "no"),
            (["delete", "daemonsets.apps", "-n", NAMESPACE], "no"), (["update", "secrets", "-n", NAMESPACE], "no"),
            (["create", "pods", "-n", NAMESPACE], "no"), (["create", "pods", "--subresource=exec", "-n", NAMESPACE], "no"),
            (["update", "leases.coordination.k8s.io/smtp-relay-operator", "-n", NAMESPACE], "yes"),
            (["update", "leases.coordination.k8s.io/other", "-n", NAMESPACE], "no"), (["get", "nodes"], "no")):
        assert can_i(cluster, account, *question) == answer, question


def test_an_api_server_lists_the_rights_of_the_golden_file_Case143(cluster):
    cluster.install()
    cluster.kubectl("create", "serviceaccount", "nobody", "-n", NAMESPACE)
    for namespace, name in ((NAMESPACE, "served"), ("default", "elsewhere")):
        everybodys = rights(cluster, "nobody", namespace)
        compare(f"can-i.{name}.txt", "".join(line + "\n" for line in rights(cluster, RELEASE, namespace) if line not in everybodys))


def rights(cluster, account, namespace):
    """What `kubectl auth can-i --list` says: resources, those of these names alone, verbs."""
    listed = cluster.kubectl("auth", "can-i", "--list", "--no-headers", "-n", namespace,
                             f"--as=system:serviceaccount:{NAMESPACE}:{account}")
    return sorted(" ".join(line.split()) for line in listed.splitlines())


def test_the_clusters_roles_include_relays_and_view_no_secret(cluster):
    """With the controller that puts aggregated roles together."""
    cluster.install()
    manager = Process("controller-manager", [
        TOOLS / "kube-controller-manager", "--kubeconfig", cluster.plane.kubeconfig("admin"), "--leader-elect=false",
        "--controllers=clusterrole-aggregation-controller", "--secure-port=0"], cluster.folder)
    roles = "/apis/rbac.authorization.k8s.io/v1"
    for role in ("view", "edit", "admin"):
        cluster.kubectl("delete", "rolebinding", role, "-n", NAMESPACE, "--ignore-not-found")
        cluster.api.create(f"{roles}/namespaces/{NAMESPACE}/rolebindings", {
            "metadata": {"name": role}, "subjects": [{"kind": "User", "name": role, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}})
    manager.start()
    try:
        relays = ["smtprelays.smtp.buildinglink.com", "-n", NAMESPACE]
        for role in ("view", "edit", "admin"):
            wait_until(lambda: manager.check_alive() and can_i(cluster, f"--as={role}", "list", *relays) == "yes", 60,
                       f"{role} includes SmtpRelays", every=1)
        changes = ("create", "update", "patch", "delete", "deletecollection")
        assert [can_i(cluster, "--as=view", verb, *relays) for verb in changes] == ["no"] * len(changes)
        for role in ("edit", "admin"):
            wait_until(lambda: can_i(cluster, f"--as={role}", "create", *relays) == "yes", 60, f"{role} may change them", every=1)
            assert [can_i(cluster, f"--as={role}", verb, *relays) for verb in changes] == ["yes"] * len(changes)
            # The status is the operator's alone.
            assert can_i(cluster, f"--as={role}", "patch", *relays, "--subresource=status") == "no"
        assert [can_i(cluster, "--as=view", verb, "secrets", "-n", NAMESPACE) for verb in ("get", "list")] == ["no", "no"]
        assert can_i(cluster, "--as=view", "list", "smtprelays.smtp.buildinglink.com", "-n", "default") == "no"
    finally:
        manager.stop()


# ---- helm test ----


def test_helm_test_tells_a_good_release_from_a_bad_one(cluster):
    """Its pod's command, with the pod's environment; there is no node to run it on."""
    cluster.install()
    with running(cluster.operator()) as operator:
        good = run_test_pod(cluster, operator.health_port)
        assert good.returncode == 0, good.stdout
        assert good.stdout.splitlines() == ["the operator at 127.0.0.1 is ready: yes", f"SmtpRelays are served in {NAMESPACE}: yes"]
        foreign = run_test_pod(cluster, operator.health_port, namespaces=f"{NAMESPACE},default")
        assert (foreign.returncode, "403 Forbidden" in foreign.stdout) == (1, True), foreign.stdout
        other = run_test_pod(cluster, operator.health_port, authority=cluster.plane.pki.folder / "../tokens.csv")
        assert other.returncode == 1 and "SmtpRelays are served in email: no" in other.stdout
        cluster.kubectl("delete", "crd", DEFINITION)
        wait_until(lambda: run_test_pod(cluster, operator.health_port).returncode == 1, 30, "it notices a missing definition")
    away = run_test_pod(cluster, operator.health_port)
    assert (away.returncode, away.stdout.splitlines()[0]) == (1, "the operator at 127.0.0.1 is ready: no")


def run_test_pod(cluster, health_port, namespaces=None, authority=None):
    spec = only(render(cluster.folder, namespace=NAMESPACE), "Pod")[0]["spec"]
    (container,) = spec["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert variables["OPERATOR"] == "$(SMTP_RELAY_OPERATOR_SERVICE_HOST)", "as kubelet names it for the Service"
    # Kubelet expands references like $(NAME) and leaves those it does not know; a doubled dollar sign it would halve.
    assert "$$" not in container["command"][2]
    account = cluster.folder / "account"
    account.mkdir(exist_ok=True)
    (account / "token").write_text(cluster.token(spec["serviceAccountName"]))
    shutil.copy(authority or cluster.plane.pki.folder / "ca.crt", account / "ca.crt")
    return subprocess.run(container["command"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env={
        "PATH": os.environ["PATH"], "OPERATOR": "127.0.0.1", "NAMESPACES": namespaces or variables["NAMESPACES"],
        "ACCOUNT": str(account), "HEALTH_PORT": str(health_port), "PATIENCE": "1",
        "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.plane.api_port)})


# ---- notes and samples ----


def test_the_notes_say_what_comes_next(cluster):
    said = cluster.install("--set", f"namespaces={{{NAMESPACE},default}}")
    for line in (f"kubectl --namespace {NAMESPACE} rollout status deployment/{RELEASE}",
                 f"helm test {RELEASE} --namespace {NAMESPACE}",
                 f"kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=privileged --overwrite",
                 "kubectl label namespace default pod-security.kubernetes.io/enforce=privileged --overwrite",
                 "stays when this release is uninstalled"):
        assert line in said, said
    # The relay that they show is one.
    example = said.split("<<END\n", 1)[1].split("  END", 1)[0]
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=example)
    assert "uninstalling this release deletes the definition" in cluster.install("--set", "crds.keep=false")
    # Helm deletes the definition then, which was not to be kept: there is nothing to wait for.
    assert "it must be there already" in cluster.helm("upgrade", RELEASE, CHART, "--set", "crds.enabled=false")


@pytest.mark.parametrize("estate", ESTATES)
def test_a_sample_is_accepted_strictly_and_by_the_operator(cluster, estate):
    folder = SAMPLES / estate
    cluster.install("-f", folder / "values.yaml")
    resources = folder / "relay.yaml"
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", resources)
    cluster.kubectl("apply", "--validate=strict", "-f", resources)
    cluster.kubectl(*CREDENTIALS)
    for name, pem in pair().items():
        (cluster.folder / name).write_text(pem)
    cluster.kubectl("create", "secret", "tls", "smtp-tls", "-n", NAMESPACE, f"--cert={cluster.folder / 'tls.crt'}",
                    f"--key={cluster.folder / 'tls.key'}")
    arguments = only(render(cluster.folder, "-f", folder / "values.yaml", namespace=NAMESPACE), "Deployment")
    flags = [flag for flag in arguments[0]["spec"]["template"]["spec"]["containers"][0]["args"]
             if not flag.startswith(("--namespaces", "--relay-image"))]
    with running(cluster.operator(*flags)):
        wait_until(lambda: accepted(cluster), 40, "the operator accepts the relay")


def accepted(cluster):
    conditions = {each["type"]: (each["status"], each["reason"], each["message"])
                  for each in cluster.api.get(f"{RELAYS}/smtp").get("status", {}).get("conditions", [])}
    assert conditions.get("ConfigValid", [None])[0] == "True", conditions
    assert conditions["SecretsResolved"][0] == "True", conditions
    assert conditions["Ready"][1] not in ("Forbidden", "NameConflict"), conditions
    return cluster.api.find(f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/smtp-smtp-relay")


def can_i(cluster, *question):
    """yes or no"""
    user, verb, *rest = question
    return cluster.kubectl("auth", "can-i", verb, *rest, user, check=False).split()[0]


@contextlib.contextmanager
def running(operator):
    try:
        yield operator
    finally:
        operator.stop()
