"""What the chart grants, and what its pods and the relays' are kept to, down to the word: tests/golden/chart.

UPDATE_GOLDEN=1 writes the files anew; the difference is to be read as what it is, a right more or less.
"""

import os

import pytest
import yaml
from charts import CHART, only, render
from control_plane import ROOT

GOLDEN = ROOT / "tests/golden/chart"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in CHART.glob("ci/*-values.yaml")}
GRANTS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
# Each of them is a way to other rights than one's own.
ESCALATING = {"*", "escalate", "bind", "impersonate"}
# Where creating or changing one is running what one likes, or being who one likes.
NOT_FOR_THE_OPERATOR = {"pods/exec", "pods/attach", "pods/ephemeralcontainers", "pods/portforward", "nodes/proxy",
                        "serviceaccounts/token", "roles", "clusterroles", "rolebindings", "clusterrolebindings",
                        "certificatesigningrequests", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"}


def compare(name, text):
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{name} is another; UPDATE_GOLDEN=1 writes it, git diff shows what that means"


def grants(objects):
    """Rights and who has them, without what does not matter for that."""
    return [{"kind": item["kind"], "name": item["metadata"]["name"],
             **({"namespace": item["metadata"]["namespace"]} if "namespace" in item["metadata"] else {}),
             **{key: item[key] for key in ("rules", "roleRef", "subjects") if key in item}}
            for kind in GRANTS for item in only(objects, kind)]


@pytest.mark.parametrize("values", sorted(VALUES))
def test_rights_are_those_of_the_golden_file_Case143(tmp_path, values):
    compare(f"{values}.rights.yaml", yaml.safe_dump_all(grants(render(tmp_path, "-f", VALUES[values])), sort_keys=False))


def bound(objects):
    """(whether for the whole cluster, rule) of each rule that somebody of this chart has."""
    rules = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item["rules"]
             for kind in ("Role", "ClusterRole") for item in only(objects, kind)}
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for item in only(objects, kind):
            role = item["roleRef"]
            namespace = item["metadata"]["namespace"] if role["kind"] == "Role" else None
            for rule in rules[role["kind"], namespace, role["name"]]:
                yield kind == "ClusterRoleBinding", rule


@pytest.mark.parametrize("values", sorted(VALUES))
def test_no_right_leads_to_other_rights_Case143(tmp_path, values):
    for for_all, rule in bound(render(tmp_path, "-f", VALUES[values])):
        assert not ESCALATING & {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}, rule
        assert not NOT_FOR_THE_OPERATOR & set(rule["resources"]), rule
        if "pods" in rule["resources"]:
            assert set(rule["verbs"]) == {"list", "watch", "patch"}, rule
        if "secrets" in rule["resources"]:
            assert set(rule["verbs"]) <= {"get", "list", "watch"}, rule
            assert not for_all or values == "whole-cluster", "Secrets of the whole cluster, unasked"


def contexts(spec):
    """What a pod is kept to: of itself, and of each of its containers."""
    return {"pod": {key: spec[key] for key in ("securityContext", "hostNetwork", "hostPID", "hostIPC", "automountServiceAccountToken")
                    if key in spec},
            "containers": {each["name"]: each.get("securityContext") for each in [*spec.get("initContainers", []), *spec["containers"]]}}


def test_pods_are_kept_to_what_the_golden_file_says_Case144(tmp_path):
    objects = render(tmp_path, "-f", VALUES["everything"])
    found = {"operator": contexts(only(objects, "Deployment")[0]["spec"]["template"]["spec"]),
             "helm test": contexts(only(objects, "Pod")[0]["spec"])}
    for path in sorted((ROOT / "tests/golden").glob("*.daemon-set.yaml")):
        found[f"relay, {path.name.split('.')[0]}"] = contexts(yaml.safe_load(path.read_text())["spec"]["template"]["spec"])
    compare("pods.security.yaml", yaml.safe_dump(found, sort_keys=False))


def test_every_pod_has_the_runtimes_seccomp_profile_and_no_container_another_Case144():
    found = yaml.safe_load((GOLDEN / "pods.security.yaml").read_text())
    assert len(found) > 5
    for name, pod in found.items():
        assert pod["pod"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["pod"]["securityContext"]["runAsNonRoot"] is True, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["pod"]), name
        for container, context in pod["containers"].items():
            assert "seccompProfile" not in context and not context.get("privileged"), (name, container)
            assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True, (name, container)
            added = context["capabilities"].get("add", [])
            assert (context["capabilities"]["drop"], added) == (["ALL"], ["CHOWN"] if container == "spool-owner" else []), name
            assert ("runAsUser" in context) == (container == "spool-owner"), "root hands the folder over, and does nothing else"
