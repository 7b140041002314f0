"""What an SmtpRelay becomes, and that it stays so."""

import json
import time

import pytest
from processes import ROOT
from test_references import pair
from waiting import PATIENCE, stays_true, wait_until
from world import CHILDREN, CORE, RELAYS

CONTAINER = "/spec/template/spec/containers/0"


def spec_of(child):
    """A DaemonSet's spec, without what changes by itself."""
    spec = json.loads(json.dumps(child["spec"]))
    spec["template"]["metadata"].pop("creationTimestamp", None)
    return spec


@pytest.fixture
def edge(mail):
    """A running operator and a relay whose children exist."""
    mail.running = mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.spec = spec_of(mail.child("DaemonSet"))
    return mail


def wait_until_restored(edge, seconds=5):
    wait_until(lambda: spec_of(edge.child("DaemonSet")) == edge.spec, seconds, "the DaemonSet is as it was")


def test_conditions_come_first_and_children_follow(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    first = [write for write in mail.writes("operator-a") if write["objectRef"].get("subresource") == "status"][0]
    assert first["responseStatus"]["code"] == 200
    for kind in CHILDREN:
        child = mail.child(kind)
        assert child["metadata"]["labels"]["app.kubernetes.io/instance"] == "edge"
        owner = child["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == ("SmtpRelay", True, True)
        assert owner["uid"] == mail.relay()["metadata"]["uid"]
        managers = [each["manager"] for each in child["metadata"]["managedFields"] if each["operation"] == "Apply"]
        assert managers == ["smtp-relay-operator"]


def test_a_first_apply_is_the_only_write_of_a_child(edge):
    """Each field that the server would fill in is stated, so nothing seems to differ."""
    uris = [write["requestURI"].split("?") for write in edge.writes("operator-a")]
    assert sorted(path for path, query in uris[-6:] if path in CHILDREN.values()) == sorted(CHILDREN.values())
    assert not [query for path, query in uris if "dryRun" in query]


GOLDEN = sorted(path.name for kind in ("service-account", "config-map", "daemon-set", "service", "network-policy")
                for path in (ROOT / "tests/golden").glob(f"*.{kind}.yaml"))
# Of a Service, what the server fills in and nobody says.
ASSIGNED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


@pytest.mark.parametrize("name", GOLDEN)
def test_the_server_stores_the_golden_objects_as_they_are(mail, name):
    path = ROOT / "tests/golden" / name
    wanted = json.loads(mail.plane.kubectl("create", "--dry-run=client", "-o", "json", "-f", path))
    stored = json.loads(mail.plane.kubectl("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", path))
    if ".service." in name:
        stored["spec"] = {field: value for field, value in stored["spec"].items() if field not in ASSIGNED}
    if ".daemon-set." in name:
        stored["spec"]["template"]["metadata"].pop("creationTimestamp", None)
    for field in ("spec", "data", "automountServiceAccountToken"):
        assert stored.get(field) == wanted.get(field)
    assert stored["metadata"]["labels"] == wanted["metadata"]["labels"]


def test_ready_follows_the_daemon_set(edge):
    assert edge.condition("Ready")[:2] == ("False", "RolloutInProgress")
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberMisscheduled": 0,
              "numberReady": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
    edge.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": status})
    assert "3 of 3 nodes take mail on port 25" in edge.wait_for_condition("Ready", "True", "AllNodesAvailable")
    edge.wait_for_condition("Progressing", "False", "RolloutComplete")
    seen = edge.relay()["status"]
    assert (seen["desiredNodes"], seen["readyNodes"], seen["observedGeneration"]) == (3, 3, 1)
    edge.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {"numberReady": 2, "numberAvailable": 2}})
    edge.wait_for_condition("Ready", "False", "PodsNotAvailable")


def test_the_status_names_nodes_that_take_no_mail(edge):
    edge.pod("edge-1")
    edge.pod("edge-2")
    waiting = {"name": "relay", "image": "x", "imageID": "", "ready": False, "restartCount": 0,
               "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    edge.pod_says("edge-1", "node1", phase="Pending", containerStatuses=[waiting])
    edge.pod_says("edge-2", "node2", phase="Running", conditions=[{"type": "Ready", "status": "True"}])

    def degraded():
        return edge.relay()["status"].get("degradedNodes")

    wait_until(lambda: degraded() == [{"node": "node1", "reason": "ImagePullBackOff"}], 5, f"one node is named: {degraded()}")
    assert edge.relay()["status"]["selector"] == "app.kubernetes.io/instance=edge,app.kubernetes.io/name=smtp-relay"
    edge.pod_says("edge-1", "node1", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    wait_until(lambda: not degraded(), 5, f"none is named any more: {degraded()}")


@pytest.mark.parametrize("what, patch", [
    ("an edited image", [{"op": "replace", "path": CONTAINER + "/image", "value": "evil:1"}]),
    ("a sidecar", [{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "sidecar", "image": "x"}}]),
    ("a toleration", [{"op": "add", "path": "/spec/template/spec/tolerations", "value": [{"operator": "Exists"}]}]),
    ("a variable", [{"op": "add", "path": CONTAINER + "/env/-", "value": {"name": "SMTP_RELAY_DURABILITY", "value": "relaxed"}}]),
    ("a volume", [{"op": "add", "path": "/spec/template/spec/volumes/-", "value": {"name": "v", "emptyDir": {}}}]),
    ("a deleted probe", [{"op": "remove", "path": CONTAINER + "/livenessProbe"}]),
    ("a changed strategy", [{"op": "replace", "path": "/spec/updateStrategy/rollingUpdate/maxUnavailable", "value": "50%"}]),
    ("another port of the container", [{"op": "replace", "path": CONTAINER + "/ports/0/containerPort", "value": 2626}]),
    ("an annotation of the pods", [{"op": "add", "path": "/spec/template/metadata/annotations/injected", "value": "x"}]),
    ("host network", [{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_drift_of_the_daemon_set_goes_back(edge, what, patch):
    edge.api.patch(CHILDREN["DaemonSet"], patch, kind="json")
    wait_until_restored(edge)


def test_drift_is_gone_within_a_second(edge):
    """Three times of seven: that this machine does something else for a moment is no fault of the operator's."""
    def seconds(number):
        alias = [{"ip": f"10.9.9.{number}", "hostnames": ["smtp.test"]}]
        began = time.monotonic()
        edge.api.patch(CHILDREN["DaemonSet"], [{"op": "add", "path": "/spec/template/spec/hostAliases", "value": alias}], kind="json")
        wait_until(lambda: spec_of(edge.child("DaemonSet")) == edge.spec, 10, "the DaemonSet is as it was", every=0.02)
        return time.monotonic() - began

    assert sorted(seconds(number) for number in range(1, 8))[2] < PATIENCE


def test_drift_under_force_of_another_manager_goes_back(edge):
    """Somebody applies with a field manager of his own."""
    theirs = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "edge-smtp-relay", "namespace": "mail"},
              "spec": {"template": {"spec": {"priorityClassName": "", "hostAliases": [{"ip": "10.9.9.9", "hostnames": ["smtp.test"]}]}}}}
    edge.api.patch(CHILDREN["DaemonSet"], theirs, kind="apply", fieldManager="other", force="true")
    wait_until_restored(edge)


@pytest.mark.parametrize("what, patch", [
    ("another kind of Service", [{"op": "replace", "path": "/spec/type", "value": "NodePort"}]),
    ("an address of outside", [{"op": "add", "path": "/spec/externalIPs", "value": ["192.0.2.1"]}]),
    ("other pods", [{"op": "add", "path": "/spec/selector/other", "value": "x"}]),
    ("another port", [{"op": "replace", "path": "/spec/ports/0/port", "value": 26}]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_drift_of_the_service_goes_back(edge, what, patch):
    before = edge.child("Service")
    edge.api.patch(CHILDREN["Service"], patch, kind="json")
    wait_until(lambda: edge.child("Service")["spec"] == before["spec"], 5, "the Service is as it was")
    assert edge.child("Service")["metadata"]["uid"] == before["metadata"]["uid"], "it keeps its address"


def test_a_service_and_an_account_go_when_they_are_not_wanted(edge):
    edge.apply(network={"service": {"type": "None"}}, serviceAccountName="mail")
    wait_until(lambda: not edge.child("Service") and not edge.child("ServiceAccount"), 5, "both are gone")
    assert edge.child("DaemonSet")["spec"]["template"]["spec"]["serviceAccountName"] == "mail"
    edge.apply()
    wait_until(lambda: edge.child("Service") and edge.child("ServiceAccount"), 5, "both are back")


def test_no_port_of_the_nodes_is_taken_in_cluster_only_mode(edge):
    edge.apply(network={"mode": "ClusterOnly", "port": 2526})

    def ports():
        return edge.child("DaemonSet")["spec"]["template"]["spec"]["containers"][0]["ports"]

    wait_until(lambda: not [port for port in ports() if "hostPort" in port], 5, "no port of the nodes is left")
    wait_until(lambda: edge.child("Service")["spec"]["ports"][0]["port"] == 2526, 5, "the Service has the port")


def test_nothing_is_written_while_paused(edge):
    """Neither edits of the resource nor of its children count; the status says so, and tells of pods as ever."""
    edge.roll_out(2, 2)
    edge.wait_for_condition("Ready", "True", "AllNodesAvailable")
    edge.apply(managementState="Paused")
    edge.wait_for_condition("Paused", "True", "Paused")
    edge.wait_for_condition("Progressing", "False", "Paused")
    before = {kind: edge.child(kind) for kind in CHILDREN}
    writes = len(edge.writes("operator-a"))

    edge.apply(managementState="Paused", limits={"maxMessageSize": "5Mi"}, network={"service": {"type": "None"}})
    wait_until(lambda: edge.relay()["status"]["observedGeneration"] == 3, 5, "the generation is observed")
    edge.api.delete(CHILDREN["ConfigMap"])
    edge.api.patch(CHILDREN["DaemonSet"], [{"op": "replace", "path": CONTAINER + "/image", "value": "mine:1"}], kind="json")
    edge.pod("edge-1")
    stays_true(lambda: edge.child("ConfigMap") is None and edge.child("Service") is not None, 2, "nothing is restored or removed")
    assert edge.child("DaemonSet")["spec"]["template"]["spec"]["containers"][0]["image"] == "mine:1"
    assert edge.child("ServiceAccount") == before["ServiceAccount"]
    assert "smtp.buildinglink.com/reload" not in edge.api.get(f"{CORE}/pods/edge-1")["metadata"]["annotations"]
    touched = {write["objectRef"].get("subresource") for write in edge.writes("operator-a")[writes:]}
    assert touched <= {"status"}

    edge.apply(managementState="Managed", limits={"maxMessageSize": "5Mi"})
    edge.wait_for_condition("Paused", "False", "Managed")
    wait_until(lambda: edge.child("ConfigMap") and "5Mi" in edge.settings(), 5, "all of it is made up for")
    wait_until(lambda: spec_of(edge.child("DaemonSet")) == edge.spec, 5, "and the edit is undone")


def test_a_paused_relay_can_be_deleted(edge):
    edge.apply(managementState="Paused")
    edge.wait_for_condition("Paused", "True", "Paused")
    edge.api.delete(f"{RELAYS}/edge")
    wait_until(lambda: edge.api.find(f"{RELAYS}/edge") is None, 5, "nothing holds it")


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_deleted_child_comes_back(edge, kind):
    before = edge.child(kind)["metadata"]["uid"]
    edge.api.delete(CHILDREN[kind])
    wait_until(lambda: edge.child(kind) and edge.child(kind)["metadata"]["uid"] != before, 5, f"the {kind} is back")


def test_an_edited_config_map_goes_back(edge):
    before = edge.child("ConfigMap")["data"]
    edge.api.patch(CHILDREN["ConfigMap"], {"data": {edge.settings_key(): "{}", "more": "x"}})
    wait_until(lambda: edge.child("ConfigMap")["data"] == before, 5, "the ConfigMap is as it was")


def test_lost_labels_and_owners_come_back(edge):
    """Without its labels the object leaves the operator's watch."""
    before = edge.child("DaemonSet")["metadata"]
    edge.api.patch(CHILDREN["DaemonSet"], {"metadata": {"labels": None, "ownerReferences": None}})
    wait_until(lambda: edge.child("DaemonSet")["metadata"].get("labels") == before["labels"]
               and edge.child("DaemonSet")["metadata"].get("ownerReferences") == before["ownerReferences"], 5,
               "labels and owners are back")
    assert edge.child("DaemonSet")["metadata"]["uid"] == before["uid"]


def test_what_others_add_beside_stays(edge):
    edge.api.patch(CHILDREN["DaemonSet"], {"metadata": {"labels": {"team": "mail"}, "annotations": {"note": "x"}}})
    edge.api.patch(CHILDREN["DaemonSet"], {"spec": {"template": {"metadata": {"annotations": {
        "kubectl.kubernetes.io/restartedAt": "2026-01-31T12:00:00Z"}}}}})
    # Something else makes the operator look, and write.
    edge.api.patch(CHILDREN["DaemonSet"], [{"op": "add", "path": "/spec/template/spec/hostPID", "value": True}], kind="json")
    wait_until(lambda: "hostPID" not in edge.child("DaemonSet")["spec"]["template"]["spec"], 5, "the drift is gone")
    child = edge.child("DaemonSet")
    assert child["metadata"]["labels"]["team"] == "mail" and child["metadata"]["annotations"]["note"] == "x"
    assert child["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]


def test_a_change_of_settings_changes_the_config_map_alone(edge):
    edge.apply(limits={"maxMessageSize": "5Mi"})
    wait_until(lambda: '"max_message_size": "5Mi"' in edge.settings(), 5, "the new setting")
    edge.wait_for_condition("ConfigValid", "True", "Accepted")
    wait_until(lambda: edge.relay()["status"]["observedGeneration"] == 2, 5, "the generation is observed")
    assert spec_of(edge.child("DaemonSet")) == edge.spec


def test_a_change_of_the_environment_rolls_the_pods(mail):
    mail.config_map("extra", SMTP_RELAY_MAX_RECIPIENTS="200")
    mail.operator()
    mail.apply(envFrom=[{"configMapRef": {"name": "extra"}}])
    mail.wait_for_children()
    before = mail.child("DaemonSet")["metadata"]["generation"]
    mail.api.patch(f"{CORE}/configmaps/extra", {"data": {"SMTP_RELAY_MAX_RECIPIENTS": "300"}})
    wait_until(lambda: mail.child("DaemonSet")["metadata"]["generation"] > before, 5, "a new pod template")


def test_running_pods_are_told_to_read_again(mail):
    mail.secret("credentials", **{"passwd.client": "smtp.test:user:one"})
    mail.operator()
    mail.apply(passwdClientSecretRef={"name": "credentials"})
    mail.wait_for_children()
    mail.pod("edge-1")
    mail.api.patch(f"{CORE}/pods/edge-1", {"metadata": {"annotations": {"smtp.buildinglink.com/drain": "true"}}})

    def annotations():
        return mail.api.get(f"{CORE}/pods/edge-1")["metadata"]["annotations"]

    wait_until(lambda: "smtp.buildinglink.com/reload" in annotations(), 5, "a first stamp")
    first = annotations()["smtp.buildinglink.com/reload"]
    template = mail.child("DaemonSet")["metadata"]["generation"]
    mail.api.patch(f"{CORE}/secrets/credentials", {"stringData": {"passwd.client": "smtp.test:user:two"}})
    wait_until(lambda: annotations()["smtp.buildinglink.com/reload"] != first, 5, "a stamp for the new password")
    second = annotations()["smtp.buildinglink.com/reload"]
    mail.apply(passwdClientSecretRef={"name": "credentials"}, limits={"maxMessageSize": "5Mi"})
    wait_until(lambda: annotations()["smtp.buildinglink.com/reload"] != second, 5, "a stamp for the new settings")
    assert annotations()["smtp.buildinglink.com/drain"] == "true", "that one belongs to people"
    assert mail.child("DaemonSet")["metadata"]["generation"] == template, "no pod restarts"
    secrets = mail.relay()["status"]["observedSecrets"]
    assert secrets[0]["resourceVersion"] == mail.api.get(f"{CORE}/secrets/credentials")["metadata"]["resourceVersion"]


def test_other_credentials_never_meet_the_wrong_smarthost(mail):
    """Old pods keep the old smarthost with the old credentials, new ones have both new: no pod sends unauthenticated."""
    mail.secret("first", **{"passwd.client": "smtp.test:user:one"})
    mail.secret("second", **{"passwd.client": "other.test:user:two"})
    mail.operator()
    mail.apply(passwdClientSecretRef={"name": "first"})
    mail.wait_for_children()
    mail.roll_out(2, 2)
    mail.wait_for_condition("Progressing", "False", "RolloutComplete")
    old_key, old_settings = mail.settings_key(), mail.settings()
    mail.pod("edge-old")
    old_stamp = wait_for_stamp(mail, "edge-old", None)

    mail.apply(passwdClientSecretRef={"name": "second"}, smarthosts=[{"name": "primary", "host": "other.test"}])
    wait_until(lambda: mail.settings_key() != old_key, 5, "new pods read other settings")
    assert "other.test" in mail.settings()
    mail.pod("edge-new")
    wait_for_stamp(mail, "edge-new", None)
    mail.roll_out(1, 2)
    message = mail.wait_for_condition("Progressing", "True", "RolloutInProgress")
    wait_until(lambda: "keep the settings" in mail.condition("Progressing")[2], 5, f"it says so: {message}")
    stays_true(lambda: mail.child("ConfigMap")["data"][old_key] == old_settings, 2, "old pods keep the old smarthost")
    assert stamp(mail, "edge-old") == old_stamp, "nothing is new for it"

    mail.roll_out(2, 2)
    wait_until(lambda: list(mail.child("ConfigMap")["data"]) == [mail.settings_key()], 5, "what nobody reads is gone")
    mail.wait_for_condition("Progressing", "False", "RolloutComplete")


def test_another_certificate_for_clients_is_told_to_running_pods_and_replaces_none(mail):
    def tls(**fields):
        return {"tls": {"secretRef": {"name": "smtp-tls"}, **fields}}

    place = f"{CORE}/secrets/smtp-tls"
    mail.secret("smtp-tls", "kubernetes.io/tls", **pair())
    mail.operator()
    mail.apply(**tls())
    mail.wait_for_children()
    mail.pod("edge-1")
    first = wait_for_stamp(mail, "edge-1", None)
    template, settings = mail.child("DaemonSet")["metadata"]["generation"], mail.child("ConfigMap")["data"]
    good = pair()
    mail.api.patch(place, {"stringData": good})
    second = wait_for_stamp(mail, "edge-1", first)
    version = mail.api.get(place)["metadata"]["resourceVersion"]
    wait_until(lambda: mail.relay()["status"]["observedSecrets"] == [{"name": "smtp-tls", "resourceVersion": version}], 5,
               "the status has its version")
    assert mail.child("ConfigMap")["data"] == settings, "the files are where they were"

    mail.apply(**tls(mode="Required", minVersion="1.3"))
    third = wait_for_stamp(mail, "edge-1", second)
    read = json.loads(mail.settings())
    assert (read["tls_mode"], read["tls_min_version"]) == ("required", "1.3")

    mail.api.patch(place, {"stringData": {"tls.key": pair()["tls.key"]}})
    mail.wait_for_condition("SecretsResolved", "False", "InvalidKey")
    mail.api.delete(place)
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    assert stamp(mail, "edge-1") == third, "what is wrong is no news for pods"
    mail.secret("smtp-tls", "kubernetes.io/tls", **good)
    wait_for_stamp(mail, "edge-1", third)
    assert mail.child("DaemonSet")["metadata"]["generation"] == template, "no pod restarts"


def test_pods_without_the_mount_of_a_certificate_keep_settings_that_do_not_name_it(mail):
    mail.secret("smtp-tls", "kubernetes.io/tls", **pair())
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.roll_out(2, 2)
    mail.wait_for_condition("Progressing", "False", "RolloutComplete")
    for tls in ({"secretRef": {"name": "smtp-tls"}}, {}):
        old_key, old_settings = mail.settings_key(), mail.settings()
        mail.apply(tls=tls)
        wait_until(lambda: mail.settings_key() != old_key, 5, "new pods read other settings")
        assert ("tls_certificate_file" in mail.settings()) == bool(tls)
        mail.roll_out(1, 2)
        wait_until(lambda: "keep the settings" in mail.condition("Progressing")[2], 5, "it says so")
        assert mail.child("ConfigMap")["data"][old_key] == old_settings
        mail.roll_out(2, 2)
        wait_until(lambda: list(mail.child("ConfigMap")["data"]) == [mail.settings_key()], 5, "what nobody reads is gone")


def stamp(mail, pod):
    return mail.api.get(f"{CORE}/pods/{pod}")["metadata"]["annotations"].get("smtp.buildinglink.com/reload")


def wait_for_stamp(mail, pod, before):
    wait_until(lambda: stamp(mail, pod) != before, 5, f"a new stamp for {pod}")
    return stamp(mail, pod)


def test_deleting_the_resource_leaves_its_children_to_the_garbage_collector(edge):
    uid = edge.relay()["metadata"]["uid"]
    edge.api.delete(f"{RELAYS}/edge")
    wait_until(lambda: edge.api.find(f"{RELAYS}/edge") is None, 5, "no finalizer holds it")
    for kind in CHILDREN:
        assert edge.child(kind)["metadata"]["ownerReferences"][0]["uid"] == uid
    # And nothing is made again when a child goes.
    edge.api.delete(CHILDREN["DaemonSet"])
    stays_true(lambda: edge.child("DaemonSet") is None, 2, "the DaemonSet is gone")


def test_a_name_that_is_taken_is_left_to_its_owner(mail):
    theirs = mail.api.create(f"{CORE}/configmaps", {"metadata": {"name": "edge-smtp-relay", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": "11111111-2222-3333-4444-555555555555",
        "controller": True}]}, "data": {"theirs": "yes"}})
    mail.operator()
    mail.apply()
    message = mail.wait_for_condition("Ready", "False", "NameConflict")
    assert "ConfigMap edge-smtp-relay belongs to ConfigMap somebody" in message
    assert mail.child("DaemonSet") is None
    assert mail.child("ConfigMap")["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]


def test_what_nobody_owns_is_taken_over(mail):
    mail.config_map("edge-smtp-relay", theirs="yes")
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    wait_until(lambda: list(mail.child("ConfigMap")["data"]) == [mail.settings_key()], 5, "the content is ours")
