"""What people are told by Kubernetes Events, and that nothing is told twice."""

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
    assert "/var/lib/smtp-relay/mail/edge on nodes node-1" in note, note


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
