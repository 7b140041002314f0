"""What people are told by Kubernetes Events, and that nothing is told twice."""

import datetime

import pytest
from control_plane import ApiError
from waiting import stays_true, wait_until
from world import CHILDREN, CORE, EVENTS, RELAYS


def reasons(mail):
    return [reason for _, reason, _ in mail.events()]


def test_a_relay_tells_what_became_of_it(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.roll_out(2, 2)
    mail.wait_for_event("Normal", "AllNodesAvailable")
    mail.wait_for_event("Normal", "RolloutComplete")
    assert sorted(reasons(mail)) == ["AllNodesAvailable", *["Applied"] * len(CHILDREN), "Created", "RolloutComplete"]
    notes = {note for _, reason, note in mail.events() if reason == "Applied"}
    assert notes == {f"{kind} edge-smtp-relay: it did not exist" for kind in CHILDREN}
    event = mail.api.get(EVENTS)["items"][0]
    assert event["reportingController"] == "smtp.buildinglink.com/smtp-relay-operator"
    assert event["regarding"]["uid"] == mail.relay()["metadata"]["uid"]
    seen = mail.plane.kubectl("-n", "mail", "describe", "smr", "edge")
    assert "RolloutComplete" in seen and "Created" in seen, seen


def test_drift_that_goes_on_is_one_series(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    for number in range(3):
        mail.api.patch(CHILDREN["ConfigMap"], {"data": {"more": str(number)}})
        wait_until(lambda: "more" not in mail.child("ConfigMap")["data"], 5, "the drift is gone")

    def series():
        return [event.get("series", {}).get("count") for event in mail.api.get(EVENTS)["items"]
                if event["note"] == "ConfigMap edge-smtp-relay: it differed"]
    wait_until(lambda: series() == [3], 45, f"one Event with a count of three, now {series()}")


def test_nothing_is_told_again_by_the_next_operator_or_behind_a_new_list(mail):
    mail.config_map("extra", SMTP_RELAY_LAME_DUCK="soon")
    running = mail.operator()
    mail.apply(passwdClientSecretRef={"name": "absent"}, envFrom=[{"configMapRef": {"name": "extra"}}])
    mail.wait_for_event("Warning", "SecretNotFound")
    mail.wait_for_event("Warning", "InvalidSettings")
    before = mail.api.get(EVENTS)["items"]
    assert running.stop() == 0
    running = mail.operator()
    wait_until(running.is_leading, 10, "the next one leads")
    reconciles = 'controller_runtime_reconcile_total{controller="smtprelay",result="success"}'
    wait_until(lambda: running.metric(reconciles) >= 1, 10, "it has looked")
    stays_true(lambda: mail.api.get(EVENTS)["items"] == before, 3, "the same Events")


def test_each_fault_is_told_with_what_to_do(mail):
    mail.api.create(f"{CORE}/configmaps", {"metadata": {"name": "edge-smtp-relay", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "somebody", "uid": "11111111-2222-3333-4444-555555555555",
        "controller": True}]}})
    mail.operator()
    mail.apply(passwdClientSecretRef={"name": "absent"})
    assert "Secret mail/absent does not exist; create it" in mail.wait_for_event("Warning", "SecretNotFound")
    assert "belongs to ConfigMap somebody" in mail.wait_for_event("Warning", "NameConflict")
    mail.apply("other", image="example.net/relay:latest",
               resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "64Mi"}})
    assert "memory limit" in mail.wait_for_event("Warning", "RefusedByServer", "other")
    mail.apply("other", image="example.net/relay:latest")
    assert "example.net/relay:latest" in mail.wait_for_event("Warning", "ImageNotPinned", "other")
    mail.wait_for_event("Normal", "Accepted", "other")
    mail.secret("absent", **{"passwd.client": "smtp.test:user:x"})
    mail.wait_for_event("Normal", "Resolved")


def test_a_right_that_is_missing_is_told(mail, plane):
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
    rules = plane.api.get(roles)["rules"]
    try:
        plane.api.patch(roles, {"rules": [rule for rule in rules if rule["resources"] != ["daemonsets"]] + [
            {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["get", "list", "watch"]}]})
        mail.operator()
        mail.apply()
        assert "daemonsets" in mail.wait_for_event("Warning", "Forbidden", seconds=15)
    finally:
        plane.api.patch(roles, {"rules": rules})


def test_a_deletion_tells_where_the_mail_is(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.pod("edge-1", node="node-1")
    wait_until(lambda: "smtp.buildinglink.com/reload" in mail.api.get(f"{CORE}/pods/edge-1")["metadata"]["annotations"], 5,
               "the pod is known")
    mail.api.delete(f"{RELAYS}/edge")
    note = mail.wait_for_event("Warning", "SpoolRetained")
    assert "/var/lib/smtp-relay/mail/edge, node node-1 (unknown)" in note, note


def test_a_namespace_that_refuses_relay_pods_is_told_with_the_line_that_mends_it(mail):
    mail.plane.kubectl("label", "namespace", "mail", "pod-security.kubernetes.io/enforce=baseline", "--overwrite")
    try:
        mail.operator()
        mail.apply()
        message = mail.wait_for_condition("PodSecurityAllowed", "False", "LevelTooStrict")
        line = "kubectl label namespace mail pod-security.kubernetes.io/enforce=privileged --overwrite"
        assert message.endswith("run: " + line)
        assert line in mail.wait_for_event("Warning", "LevelTooStrict")
        mail.wait_for_children()
        mail.plane.kubectl(*line.split()[1:])
        # Asked again every half minute, and remembered for a whole one.
        mail.wait_for_condition("PodSecurityAllowed", "True", "Privileged", seconds=100)
        mail.wait_for_event("Normal", "Privileged")
    finally:
        mail.plane.kubectl("label", "namespace", "mail", "pod-security.kubernetes.io/enforce-")


def test_a_node_that_is_lost_is_told_and_that_it_is_back(mail):
    running = mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.roll_out(2, 2)
    mail.wait_for_condition("Degraded", "False", "AsExpected")
    mail.wait_for_event("Normal", "RolloutComplete")
    mail.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {"numberAvailable": 1, "numberReady": 1}})
    message = mail.wait_for_condition("Degraded", "True", "PodsNotAvailable")
    assert "1 of 2 nodes take mail" in message and "kubectl -n mail describe pods" in message, message
    assert "1 of 2 nodes" in mail.wait_for_event("Warning", "PodsNotAvailable")
    series = 'smtp_relay_operator_degraded{object="mail/edge",reason="PodsNotAvailable"}'
    wait_until(lambda: running.metric(series) == 1, 5, "so does a metric")
    mail.roll_out(2, 2)
    mail.wait_for_condition("Degraded", "False", "AsExpected")
    wait_until(lambda: running.metric(series) == 0, 5, "and it is over")


def daemon_set_controller_fails(mail, words):
    """It wants three pods, made one, and tells what the API server said to the second."""
    child = mail.child("DaemonSet")
    mail.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {
        "observedGeneration": child["metadata"]["generation"], "numberMisscheduled": 0, "desiredNumberScheduled": 3,
        "currentNumberScheduled": 1, "numberReady": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}})
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    mail.api.create(f"{CORE}/events", {
        "metadata": {"generateName": "edge-smtp-relay."}, "type": "Warning", "reason": "FailedCreate",
        "message": f"Error creating: {words}", "source": {"component": "daemonset-controller"}, "count": 1,
        "firstTimestamp": now, "lastTimestamp": now, "involvedObject": {
            "apiVersion": "apps/v1", "kind": "DaemonSet", "namespace": "mail", "name": child["metadata"]["name"],
            "uid": child["metadata"]["uid"]}})


def refusal_of_pod_security(mail, level):
    """What the API server says of a pod with a host port."""
    def enforce(wanted):
        mail.api.patch("/api/v1/namespaces/mail", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": wanted}}})
    enforce(level)
    try:
        with pytest.raises(ApiError) as refused:
            mail.api.create(f"{CORE}/pods", {"metadata": {"name": "edge-smtp-relay-x7k2p"}, "spec": {"containers": [
                {"name": "relay", "image": "x", "ports": [{"containerPort": 2525, "hostPort": 25}]}]}})
        return refused.value.message
    finally:
        enforce(None)


def test_why_the_server_refuses_pods_is_told_in_its_words(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    daemon_set_controller_fails(mail, 'pods "edge-smtp-relay-x7k2p" is forbidden: exceeded quota: few, requested: pods=1')
    words = "the API server refuses pods: pods is forbidden: exceeded quota: few, requested: pods=1"
    assert words in mail.wait_for_condition("Degraded", "True", "FailedCreate", seconds=20)
    assert words in mail.condition("Ready")[2] and mail.condition("Ready")[1] == "PodsNotAvailable"
    assert words in mail.wait_for_event("Warning", "FailedCreate")
    mail.roll_out(3, 3)
    mail.wait_for_condition("Degraded", "False", "AsExpected")


def test_a_default_level_of_the_cluster_is_known_by_what_it_refuses(mail):
    words = refusal_of_pod_security(mail, "baseline")
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.wait_for_condition("PodSecurityAllowed", "True", "NoLevel")
    daemon_set_controller_fails(mail, words)
    message = mail.wait_for_condition("PodSecurityAllowed", "False", "LevelTooStrict", seconds=20)
    assert "the cluster's default, 'baseline'" in message
    assert message.endswith("kubectl label namespace mail pod-security.kubernetes.io/enforce=privileged --overwrite")
    assert "hostPort" in mail.condition("Ready")[2]
    assert "LevelTooStrict" == mail.condition("Degraded")[1]


def test_a_relay_works_where_events_are_forbidden(mail, plane):
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
    rules = plane.api.get(roles)["rules"]
    try:
        plane.api.patch(roles, {"rules": [rule for rule in rules if rule["resources"] != ["events"]]})
        running = mail.operator()
        mail.apply()
        mail.wait_for_children()
        wait_until(lambda: running.records("event_not_written"), 10, "it says so")
        assert len(running.records("event_not_written")) == 1, "once"
    finally:
        plane.api.patch(roles, {"rules": rules})
