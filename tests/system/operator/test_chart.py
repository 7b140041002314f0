"""The chart on paper: values and their schema, what it makes of them, and what an API server says of that."""

import json
import re
import subprocess

import previous
import pytest
import yaml
from charts import CHART, DEFINITION, RELEASE, SAMPLES, VALUES, copy_of_chart, helm, name_of, only, refusal, render
from control_plane import ROOT
from processes import PROGRAM

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
ANNOTATIONS = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
EVERYTHING = CHART / "ci/everything-values.yaml"
# Kinds of the Prometheus operator, which no API server has of its own.
FOREIGN = {"PodMonitor", "PrometheusRule"}


def version():
    return re.search(r"^project\(.* VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]


def resolved(schema):
    """A schema with what it refers to."""
    return {**SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema} if "$ref" in schema else schema


def described_values(schema, path=""):
    """(path, schema) of each value that has a name of its own."""
    for name, each in schema.get("properties", {}).items():
        each = resolved(each)
        yield f"{path}{name}", each
        yield from described_values(each, f"{path}{name}.")


def default_values(values, path=""):
    for name, value in values.items():
        yield f"{path}{name}"
        if isinstance(value, dict) and resolved(at(f"{path}{name}")).get("properties"):
            yield from default_values(value, f"{path}{name}.")


def at(path):
    schema = SCHEMA
    for name in path.split("."):
        schema = resolved(resolved(schema)["properties"][name])
    return schema


# ---- values ----


def test_every_value_has_a_default_and_a_schema():
    # Helm adds `global`; claims are in no default, since an empty list of them is not the same as none; and what is deprecated
    # is told to those who set it.
    without = {path for path, _ in described_values(SCHEMA)} - set(default_values(DEFAULTS))
    assert without == {"global", "resources.claims", "podMonitor.relays"}
    assert set(default_values(DEFAULTS)) <= {path for path, _ in described_values(SCHEMA)}


BOUNDS = {"string": "maxLength", "integer": "maximum", "number": "maximum", "array": "maxItems"}


def unbounded(schema, path):
    """Paths of what lacks a type or a bound, values that have no name included."""
    schema = resolved(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds and not {"enum", "oneOf"} & set(schema):
        yield f"{path}: no type"
    for kind in kinds:
        if kind in BOUNDS and BOUNDS[kind] not in schema and "enum" not in schema:
            yield f"{path}: no {BOUNDS[kind]}"
    if "object" in kinds and schema.get("additionalProperties") is not False and "maxProperties" not in schema:
        yield f"{path}: any number of keys"
    inner = {**schema.get("properties", {}), "[]": schema.get("items"), "*": schema.get("additionalProperties")}
    inner |= {str(index): each for index, each in enumerate(schema.get("oneOf", []))}
    for name, each in inner.items():
        if isinstance(each, dict):
            yield from unbounded(each, f"{path}.{name}")


def test_every_value_is_typed_bounded_and_described():
    assert list(unbounded(SCHEMA, "values")) == []
    assert [path for path, each in described_values(SCHEMA) if not each.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("options, words", [
    (["replica=2"], "'replica' not allowed"),
    (["image.tagg=1"], "'tagg' not allowed"),
    (["image.tag=latest"], "/image/tag"),
    (["relayImage.tag=main"], "/relayImage/tag"),
    (["image.tag=a:b"], "/image/tag"),
    (["image.repository=registry.example.net/smtp:1"], "/image/repository"),
    (["image.digest=sha256:12"], "/image/digest"),
    (["image.pullPolicy=Sometimes"], "/image/pullPolicy"),
    (["namespaces={mail,*}"], "/namespaces"),
    (["namespaces={mail,mail}"], "/namespaces"),
    (["spoolRoot=spool"], "/spoolRoot"),
    (["spoolRoot=/"], "/spoolRoot"),
    (["crds.enabled=1"], "/crds/enabled"),
    (["crds.install=true"], "'install' not allowed"),
    (["serviceAccount.create=false"], "/serviceAccount/name"),
    (["replicas=-1"], "/replicas"),
    (["replicas=10"], "/replicas"),
    (["leaderElection.leaseDuration=500ms"], "/leaderElection/leaseDuration"),
    (["leaderElection.retryPeriod=soon"], "/leaderElection/retryPeriod"),
    (["concurrency=65"], "/concurrency"),
    (["qps=0"], "/qps"),
    (["extraArgs={debug}"], "/extraArgs/0"),
    (["extraArgs={--namespaces=default}"], "/extraArgs/0"),
    (["extraArgs={--health-addr=0.0.0.0:80}"], "/extraArgs/0"),
    (["resources.requests.memory=much"], "/resources/requests/memory"),
    (["podDisruptionBudget.maxUnavailable=0"], "/podDisruptionBudget/maxUnavailable"),
    (["networkPolicy.apiServer.ports={}"], "/networkPolicy/apiServer/ports"),
    (["networkPolicy.apiServer.networks={everywhere}"], "/networkPolicy/apiServer/networks/0"),
    (["networkPolicy.metricsFrom[0].pods=a"], "'pods' not allowed"),
    (["commonLabels.app\\.kubernetes\\.io/name=mine"], "app.kubernetes.io/name"),
    (["podLabels.a=b c"], "/podLabels/a"),
    (["fullnameOverride=Mail"], "/fullnameOverride"),
])
def test_a_wrong_value_is_refused_with_its_place(tmp_path, options, words):
    said = refusal(tmp_path, *(part for option in options for part in ("--set", option)))
    assert words in said, said


def test_values_of_the_previous_version_are_taken(tmp_path):
    """Its defaults spelled out, as those have them who copied the file, the values that its tests render, and every name."""
    previous.check_built()
    files = [previous.CHART / "values.yaml", *sorted(previous.CHART.glob("ci/*-values.yaml"))]
    assert len(files) > 1
    for values in files:
        assert refusal(tmp_path, "-f", values) == "", values
    names = json.loads((previous.CHART / "values.schema.json").read_text())
    assert {path for path, _ in described_values(names)} - {path for path, _ in described_values(SCHEMA)} == set()


# NOTES.txt as an object: without a server Helm shows what it makes of templates alone.
NOTES = """apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  text: |
    {{- tpl (.Files.Get "files/notes.txt") . | nindent 4 }}
"""


def notes(chart, folder, *options):
    return render(folder, *options, chart=chart)[("ConfigMap", "notes")]["data"]["text"]


def test_a_deprecated_value_changes_nothing_and_is_told(tmp_path):
    text = (CHART / "templates/NOTES.txt").read_text()
    chart = copy_of_chart(tmp_path, **{"files/notes.txt": text, "templates/notes.yaml": NOTES})
    assert "podMonitor.relays" not in notes(chart, tmp_path)
    everything = render(tmp_path, "-f", EVERYTHING)
    for value in ("true", "false"):
        option = "--set", f"podMonitor.relays={value}"
        assert render(tmp_path, "-f", EVERYTHING, *option) == everything
        assert "podMonitor.relays is ignored" in notes(chart, tmp_path, *option)
    assert "/podMonitor/relays" in refusal(tmp_path, "--set", "podMonitor.relays=3")


def test_a_release_whose_name_no_service_can_have_is_told(tmp_path):
    for release in ("1relay", "a.b"):
        said = helm("template", release, CHART, "--kube-version", "1.34.0", folder=tmp_path, check=False)
        assert f"a Service can't be named {release}: set fullnameOverride" in said
        objects = helm("template", release, CHART, "--kube-version", "1.34.0", "--set", "fullnameOverride=relay", folder=tmp_path)
        assert "fullnameOverride" not in objects and "name: relay-test" in objects


# ---- what it makes ----


@pytest.mark.parametrize("values", VALUES, ids=name_of)
def test_values_pass_lint_and_a_strict_dry_run(mail, plane, tmp_path, values):
    """Of everything whose kind the server has; the pod of `helm test` too."""
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "-f", values, folder=tmp_path)
    objects = render(tmp_path, "-f", values)
    known = [item for (kind, _), item in objects.items() if kind not in FOREIGN]
    said = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(known))
    assert len(re.findall(r"(created|configured|unchanged) \(server dry run\)", said)) == len(known), said


def test_by_default_it_asks_for_nothing_beyond_its_namespace_but_to_see_nodes(tmp_path):
    objects = render(tmp_path)
    assert sorted(objects) == [
        ("ClusterRole", f"mail:{RELEASE}:nodes"), ("ClusterRole", f"mail:{RELEASE}:smtprelays-edit"),
        ("ClusterRole", f"mail:{RELEASE}:smtprelays-view"), ("ClusterRoleBinding", f"mail:{RELEASE}:nodes"),
        ("CustomResourceDefinition", DEFINITION), ("Deployment", RELEASE), ("Pod", f"{RELEASE}-test"), ("Role", RELEASE),
        ("Role", f"{RELEASE}-leader-election"), ("RoleBinding", RELEASE), ("RoleBinding", f"{RELEASE}-leader-election"),
        ("Service", RELEASE), ("ServiceAccount", RELEASE)]
    assert objects["ClusterRole", f"mail:{RELEASE}:nodes"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}]
    # The other ClusterRoles are for people; nobody is bound to them.
    for item in only(objects, "Role") + only(objects, "ClusterRole"):
        assert not [rule for rule in item["rules"] if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert {item["roleRef"]["kind"] for item in only(objects, "RoleBinding")} == {"Role"}


def test_each_served_namespace_gets_its_role(tmp_path):
    objects = render(tmp_path, "--set", "namespaces={default,mail}")
    assert sorted((item["metadata"]["name"], item["metadata"]["namespace"]) for item in only(objects, "Role")) == [
        (RELEASE, "default"), (RELEASE, "mail"), (f"{RELEASE}-leader-election", "mail")]
    assert "--namespaces=default,mail" in container(objects)["args"]
    for binding in only(objects, "RoleBinding"):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": RELEASE, "namespace": "mail"}]


def test_the_whole_cluster_is_served_by_a_cluster_role(tmp_path):
    objects = render(tmp_path, "-f", CHART / "ci/whole-cluster-values.yaml")
    rights = objects["ClusterRole", f"mail:{RELEASE}"]["rules"]
    assert rights == objects_of_one_namespace(tmp_path)["Role", RELEASE]["rules"]
    binding = objects["ClusterRoleBinding", f"mail:{RELEASE}"]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"mail:{RELEASE}"}
    assert [item["metadata"]["name"] for item in only(objects, "Role")] == [f"{RELEASE}-leader-election"]
    assert {"--namespaces=*", "--controller-id=blue"} <= set(container(objects)["args"])
    leases = objects["Role", f"{RELEASE}-leader-election"]["rules"]
    assert [rule["resourceNames"] for rule in leases if "resourceNames" in rule] == [["smtp-relay-operator-blue"]]


def objects_of_one_namespace(tmp_path):
    return render(tmp_path, "--set", "controllerId=blue")


def test_rights_account_and_definition_can_be_left_to_others(tmp_path):
    kinds = {kind for kind, _ in render(tmp_path, "-f", CHART / "ci/least-rights-values.yaml")}
    assert kinds == {"Deployment", "Service", "Pod"}
    without_rights = render(tmp_path, "--set", "rbac.create=false")
    assert not {"Role", "RoleBinding", "ClusterRole"} & {kind for kind, _ in without_rights}
    assert not only(without_rights, "ClusterRoleBinding") and only(without_rights, "ServiceAccount")
    without_account = render(tmp_path, "--set", "serviceAccount.create=false,serviceAccount.name=other")
    assert not only(without_account, "ServiceAccount")
    for binding in only(without_account, "RoleBinding") + only(without_account, "ClusterRoleBinding"):
        assert binding["subjects"][0]["name"] == "other"
    assert pod(without_account)["serviceAccountName"] == "other"


def test_nodes_can_be_left_out(tmp_path):
    without_nodes = render(tmp_path, "--set", "rbac.nodes=false")
    assert not [name for _, name in without_nodes if name.endswith(":nodes")]
    assert not only(without_nodes, "ClusterRoleBinding") and only(without_nodes, "RoleBinding")


@pytest.mark.parametrize("values", VALUES, ids=name_of)
def test_everything_has_the_standard_labels_and_fixed_images(tmp_path, values):
    for item in render(tmp_path, "-f", values).values():
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "smtp-relay", item["metadata"]["name"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm" and labels["helm.sh/chart"].startswith("smtp-relay-operator-")
        if item["kind"] != "CustomResourceDefinition":
            assert {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"} <= set(labels)
        if values == EVERYTHING:
            assert labels["example.net/cost"] == "mail"
        for image in re.findall(r"'image': '([^']*)'|--relay-image=([^']*)'", str(item)):
            assert re.fullmatch(r".*(:[0-9][0-9.]*|@sha256:[0-9a-f]{64})", "".join(image)), image


def test_images_have_the_projects_version_or_a_digest(tmp_path):
    digest = "sha256:" + "0" * 64
    objects = render(tmp_path)
    assert container(objects)["image"] == f"ghcr.io/buildinglink/email/smtp-operator:{version()}"
    assert f"--relay-image=ghcr.io/buildinglink/email/smtp:{version()}" in container(objects)["args"]
    objects = render(tmp_path, "--set", f"image.digest={digest},relayImage.digest={digest},image.tag=1.0.0")
    assert container(objects)["image"] == f"ghcr.io/buildinglink/email/smtp-operator@{digest}"
    assert f"--relay-image=ghcr.io/buildinglink/email/smtp@{digest}" in container(objects)["args"]
    assert only(objects, "Pod")[0]["spec"]["containers"][0]["image"] == container(objects)["image"]


@pytest.mark.parametrize("values", VALUES, ids=name_of)
def test_the_program_takes_the_flags_of_its_pod(tmp_path, values):
    done = subprocess.run([str(PROGRAM), *container(render(tmp_path, "-f", values))["args"], "--kubeconfig", "/no/such/file"],
                          capture_output=True, text=True, timeout=20)
    assert (done.returncode, "cannot read kubeconfig" in done.stderr) == (2, True), done.stderr


def test_pods_keep_pod_security_restricted(plane, tmp_path):
    if plane.api.find("/api/v1/namespaces/restricted") is None:
        plane.kubectl("create", "namespace", "restricted")
    plane.kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    objects = render(tmp_path, "-f", EVERYTHING)
    for name, spec in (("operator", pod(objects)), ("test", only(objects, "Pod")[0]["spec"])):
        plane.api.create("/api/v1/namespaces/restricted/pods?dryRun=All", {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "restricted"},
            "spec": {each: value for each, value in spec.items() if each not in ("serviceAccountName", "priorityClassName")}})


def test_the_test_pod_is_selected_by_nothing_of_the_operators(tmp_path):
    objects = render(tmp_path, "-f", EVERYTHING)
    labels = only(objects, "Pod")[0]["metadata"]["labels"]
    template = only(objects, "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    for selector in (only(objects, "Service")[0]["spec"]["selector"],
                     only(objects, "Deployment")[0]["spec"]["selector"]["matchLabels"],
                     only(objects, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"],
                     only(objects, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"],
                     objects["PodMonitor", "mail-operator"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= template.items()
        assert not selector.items() <= labels.items()
    allowed = only(objects, "NetworkPolicy")[0]["spec"]["ingress"][1]["from"][0]["podSelector"]["matchLabels"]
    assert allowed.items() <= labels.items()


def test_labels_of_pods_do_not_hide_them_from_selectors(tmp_path):
    objects = render(tmp_path, "--set", "podLabels.app\\.kubernetes\\.io/name=mine")
    labels = only(objects, "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "smtp-relay-operator"


# ---- what can be turned on ----


@pytest.mark.parametrize("options, expected", [
    ([], None),
    (["replicas=2"], 1),
    (["replicas=3", "podDisruptionBudget.maxUnavailable=2"], 2),
    (["replicas=3", "podDisruptionBudget.enabled=false"], None),
])
def test_a_budget_is_there_for_several_replicas(tmp_path, options, expected):
    found = only(render(tmp_path, *(part for option in options for part in ("--set", option))), "PodDisruptionBudget")
    assert [item["spec"]["maxUnavailable"] for item in found] == ([] if expected is None else [expected])


def test_the_network_policy_lets_metrics_in_and_the_api_server_and_relays_out(tmp_path):
    assert not only(render(tmp_path), "NetworkPolicy")
    relays = {"ports": [{"port": 8025}], "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {
        "app.kubernetes.io/name": "smtp-relay", "app.kubernetes.io/managed-by": "smtp-relay-operator"}}}]}
    spec = only(render(tmp_path, "--set", "networkPolicy.enabled=true"), "NetworkPolicy")[0]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [{"ports": [{"port": 443}, {"port": 6443}]}, relays]
    assert spec["ingress"][0] == {"ports": [{"port": "http-metrics"}]}
    spec = only(render(tmp_path, "-f", EVERYTHING), "NetworkPolicy")[0]["spec"]
    assert spec["egress"] == [{"ports": [{"port": 6443}], "to": [{"ipBlock": {"cidr": "10.1.40.0/24"}},
                                                                {"ipBlock": {"cidr": "2001:db8::/64"}}]}, relays]
    assert spec["ingress"][0]["from"] == yaml.safe_load(EVERYTHING.read_text())["networkPolicy"]["metricsFrom"]


def test_the_pod_monitor_takes_the_place_of_annotations(tmp_path):
    objects = render(tmp_path)
    assert not only(objects, "PodMonitor")
    assert only(objects, "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    objects = render(tmp_path, "--set", "podMonitor.enabled=true,podMonitor.labels.release=prometheus")
    (monitor,) = only(objects, "PodMonitor")
    assert "http-metrics" in [port["name"] for port in container(objects)["ports"]]
    assert "annotations" not in only(objects, "Deployment")[0]["spec"]["template"]["metadata"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_the_pod_monitor_finds_the_pods_and_names_what_alerts_group_by(tmp_path):
    objects = render(tmp_path, "--set", "podMonitor.enabled=true,namespaces={default,mail}")
    template = only(objects, "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    spec = objects["PodMonitor", RELEASE]["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    assert spec["selector"]["matchLabels"].items() <= template.items()
    assert spec["jobLabel"] in template
    assert endpoint["port"] in [port["name"] for port in container(objects)["ports"]]
    assert (endpoint["path"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("/metrics", "30s", "10s")
    assert [each["targetLabel"] for each in endpoint["relabelings"]] == ["node"]


def test_what_the_operator_makes_for_relays_is_not_made_by_the_chart_and_has_its_labels(tmp_path):
    """Or relays would be read twice, and everybody told twice."""
    objects = render(tmp_path, "-f", EVERYTHING)
    assert [item["metadata"]["name"] for item in only(objects, "PodMonitor")] == ["mail-operator"]
    assert [item["metadata"]["name"] for item in only(objects, "PrometheusRule")] == ["mail-operator-operator"]
    assert {"--pod-monitor-labels=release=prometheus", "--rule-labels=release=prometheus"} <= set(container(objects)["args"])
    several = render(tmp_path, "--set", "alerts.labels.a=x,alerts.labels.b=y")
    assert "--rule-labels=a=x,b=y" in container(several)["args"]
    assert not [flag for flag in container(render(tmp_path))["args"] if "-labels=" in flag]


RULES = """# About operators.
groups:
- name: operator
  rules:
  - alert: NobodyLeads
    expr: sum(leader_election_master_status) == 0
    for: 5m
    annotations:
      summary: '{{ $labels.namespace }} has no leader'
"""
DASHBOARD = '{\n  "title": "Relays",\n  "panels": [{"legendFormat": "{{node}}"}]\n}\n'


def test_alerts_and_dashboards_are_taken_as_they_are(tmp_path):
    """Braces in them are Prometheus's and Grafana's, not Helm's."""
    chart = copy_of_chart(tmp_path, **{"files/alerts/one.yaml": RULES, "files/alerts/two.yaml": RULES,
                                       "files/dashboards/relays.json": DASHBOARD})
    off = render(tmp_path, chart=chart)
    assert not only(off, "PrometheusRule") and not only(off, "ConfigMap")
    objects = render(tmp_path, "-f", EVERYTHING, chart=chart)
    for name in ("one", "two"):
        rule = objects["PrometheusRule", f"mail-operator-{name}"]
        assert rule["spec"] == yaml.safe_load(RULES)
        assert rule["metadata"]["labels"]["release"] == "prometheus"
        assert rule["metadata"]["annotations"] == {"example.net/team": "mail"}
    board = objects["ConfigMap", "mail-operator-dashboard-relays"]
    assert json.loads(board["data"]["relays.json"]) == json.loads(DASHBOARD)
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert board["metadata"]["annotations"] == {"grafana_folder": "Mail"}


def test_the_charts_own_alerts_and_dashboards_are_all_rendered(tmp_path):
    objects = render(tmp_path, "-f", EVERYTHING)
    # Those of relays are the operator's.
    assert len(only(objects, "PrometheusRule")) == len(list(CHART.glob("files/alerts/*.yaml"))) - 1
    assert len(only(objects, "ConfigMap")) == len(list(CHART.glob("files/dashboards/*.json")))
    for item in only(objects, "PrometheusRule"):
        assert [group["name"] for group in item["spec"]["groups"]]
    for item in only(objects, "ConfigMap"):
        assert all(json.loads(text)["title"] for text in item["data"].values())


# ---- the definition, and what the chart says of itself ----


def test_the_definition_is_the_one_of_crds(tmp_path):
    ours = yaml.safe_load((ROOT / f"crds/{'_'.join(reversed(DEFINITION.split('.', 1)))}.yaml").read_text())
    kept = only(render(tmp_path), "CustomResourceDefinition")[0]
    assert kept["spec"] == ours["spec"]
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    lost = only(render(tmp_path, "--set", "crds.keep=false"), "CustomResourceDefinition")[0]
    assert lost["spec"] == ours["spec"] and not lost["metadata"]["annotations"]
    assert not only(render(tmp_path, "--set", "crds.enabled=false"), "CustomResourceDefinition")


def test_what_artifact_hub_shows_is_so(mail, plane, tmp_path):
    images = {each["name"]: each["image"] for each in yaml.safe_load(ANNOTATIONS["artifacthub.io/images"])}
    assert images["smtp-operator"] == container(render(tmp_path))["image"]
    assert f"--relay-image={images['smtp']}" in container(render(tmp_path))["args"]
    spec = only(render(tmp_path), "CustomResourceDefinition")[0]["spec"]
    (crd,) = yaml.safe_load(ANNOTATIONS["artifacthub.io/crds"])
    assert (crd["name"], crd["kind"], crd["version"]) == (DEFINITION, spec["names"]["kind"], spec["versions"][0]["name"])
    examples = yaml.safe_load(ANNOTATIONS["artifacthub.io/crdsExamples"])
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(examples))


def test_the_samples_are_those_of_the_four_estates():
    estates = {path.parent.name for path in SAMPLES.glob("*/relay.yaml")}
    assert estates == {path.parent.name for path in SAMPLES.glob("*/values.yaml")}
    assert estates == {"rancher-dev", "rancher-uat", "rancher-prod-pdc", "rancher-prod-azure"}


def pod(objects):
    return only(objects, "Deployment")[0]["spec"]["template"]["spec"]


def container(objects):
    return pod(objects)["containers"][0]
