"""Nothing is written while nothing changes: also across restarts, outages and compactions."""

import collections

import pytest
from processes import Proxy
from waiting import stays_true, wait_until
from world import CHILDREN, CORE, RELAYS

OTHERS = {"resources": {"requests": {"cpu": "0.1"}}, "passwdClientSecretRef": {"name": "credentials"}}


@pytest.fixture
def settled(mail):
    """Three relays, with credentials, pods and quantities in words of their own."""
    mail.secret("credentials", **{"passwd.client": "smtp.test:user:x"})
    mail.running = mail.operator()
    mail.apply()
    mail.apply("second", network={"port": 26}, health={"hostPort": 8026}, **OTHERS)
    mail.apply("third", passwdClientSecretRef={"name": "absent"})
    mail.wait_for_children()
    mail.wait_for_condition("ConfigValid", "True", "Accepted", "second")
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound", "third")
    mail.pod("edge-1")
    wait_until(lambda: "smtp.buildinglink.com/reload" in mail.api.get(f"{CORE}/pods/edge-1")["metadata"]["annotations"], 5,
               "the pod is stamped")
    return mail


def test_nothing_is_written_at_rest(settled):
    versions, writes = settled.versions(), len(settled.writes("operator-a", told=True))
    stays_true(lambda: settled.versions() == versions, 60, "no resourceVersion moves", every=2)
    assert len(settled.writes("operator-a", told=True)) == writes
    assert len(settled.plane.lease_writes("operator-a")) > 3, "only the Lease"


def test_nothing_moves_across_a_restart(settled):
    versions = settled.versions()
    assert settled.running.stop() == 0
    settled.running = settled.operator()
    wait_until(settled.running.is_leading, 5, "the new one leads")
    # Two of them look again when their rollout would have stalled.
    reconciles = [f'controller_runtime_reconcile_total{{controller="smtprelay",result="{result}"}}'
                  for result in ("success", "requeue_after")]
    wait_until(lambda: sum(map(settled.running.metric, reconciles)) >= 3, 10, "it has looked at all three")
    stays_true(lambda: settled.versions() == versions, 3, "no resourceVersion moves")


def lists_and_refusals(operator):
    """({kind: lists that were taken}, {kind: refusals of a version that the server did not know any more})"""
    return (collections.Counter(record["resource"] for record in operator.records("listed")),
            collections.Counter(record["resource"] for record in operator.records("watch_failed") if record["kind"] == "gone"))


@pytest.mark.parametrize("away", [0, 60])
def test_a_restarted_server_is_watched_again_from_the_last_version(settled, away):
    """At once, or behind an outage, in which the operator stays up and says that it is well. A server that has just begun
    may know no version before its own beginning: then, and only then, it is asked for a list."""
    operator = settled.running
    before, versions, pid = lists_and_refusals(operator)[0], settled.versions(), operator.process.pid
    settled.plane.apiserver.kill()
    stays_true(lambda: {operator.http(operator.health_port, path)[0] for path in ("/healthz", "/readyz")} == {200}, away,
               "it is alive and ready", every=2)
    settled.plane.start_apiserver()
    # What changes now must be seen. A server that has just begun may refuse it for want of its own caches.
    wait_until(lambda: settled.api.patch(f"{RELAYS}/edge", {"spec": {"limits": {"maxMessageSize": "7Mi"}}}), 20,
               "the server takes the change")
    # Delays between two attempts have grown to a minute at most.
    wait_until(lambda: "7Mi" in settled.settings(), 40 + away, "the change is applied")
    after = settled.versions()
    moved = {path for path in versions if after[path] != versions[path]}
    assert moved == {f"{RELAYS}/edge", CHILDREN["ConfigMap"], f"{CORE}/pods/edge-1"} or \
        moved == {f"{RELAYS}/edge", CHILDREN["ConfigMap"]}
    assert operator.check_alive() and operator.process.pid == pid
    assert {"pods", "secrets", "smtprelays"} <= set(before)

    def unexplained():
        lists, gone = lists_and_refusals(operator)
        return {kind: count for kind in lists if (count := lists[kind] - before[kind] - gone[kind])}

    wait_until(lambda: not unexplained(), 15, f"what was listed is what was gone: {unexplained()}")


def test_a_version_that_is_gone_costs_one_list_and_only_the_writes_that_are_due(mail):
    """Cut off while objects change, etcd compacts and the API server restarts."""
    proxy = Proxy(mail.plane.api_port)
    try:
        mail.secret("credentials", **{"passwd.client": "smtp.test:user:x"})
        operator = mail.operator("operator-a", port=proxy.port)
        mail.apply()
        mail.apply("second", network={"port": 26}, health={"hostPort": 8026}, **OTHERS)
        mail.wait_for_children()
        mail.wait_for_condition("ConfigValid", "True", "Accepted", "second")
        mail.wait_for_condition("ConfigValid", "True", "Accepted", "edge")
        versions, writes = mail.versions(), len(mail.writes("operator-a"))
        lists = 'smtp_relay_operator_list_operations_total{resource="smtprelays"}'
        assert operator.metric(lists) == 1

        proxy.cut()
        mail.apply(limits={"maxMessageSize": "7Mi"})
        mail.api.delete(CHILDREN["ServiceAccount"])
        for number in range(20):
            mail.config_map(f"noise-{number}", x="y")
        mail.plane.compact()
        mail.plane.restart_apiserver()
        wait_until(lambda: not operator.is_leading(), 20, "it stands by: its lease could not be renewed")
        assert operator.http(operator.health_port, "/healthz")[0] == 200, "an outage is no reason to be restarted"
        # One that is not ready refuses what it does not know the rights for yet, and the status would tell of it.
        wait_until(lambda: mail.plane.kubectl("get", "--raw", "/readyz", check=False) == "ok", 30, "the server is ready")
        proxy.mend()

        wait_until(lambda: "7Mi" in mail.settings(), 60, "the change is applied")
        wait_until(lambda: mail.child("ServiceAccount"), 10, "the deleted child is back")
        wait_until(lambda: mail.relay()["status"]["observedGeneration"] == 2, 10, "the change is reported")
        gone = [record for record in operator.records("watch_failed") if record["kind"] == "gone"]
        assert gone, "the version that it knew was gone"
        assert operator.metric(lists) == 2
        after = mail.versions()
        moved = {path for path in versions if after[path] != versions[path]}
        assert moved == {f"{RELAYS}/edge", CHILDREN["ConfigMap"], CHILDREN["ServiceAccount"]}
        # Only what was taken: a status made from what a watch has overtaken is refused (409), and a server that has just
        # started knows no rights for a moment, or is busy.
        uris = [write["requestURI"].split("?")[0] for write in mail.writes("operator-a")[writes:]
                if write["responseStatus"]["code"] < 300]
        assert sorted(uris) == sorted([CHILDREN["ConfigMap"], CHILDREN["ServiceAccount"], f"{RELAYS}/edge/status"])
    finally:
        proxy.close()


def test_the_servers_own_certificate_may_be_the_authority(mail, plane):
    """What the kubeconfig names is trusted, as kubectl does, though it is no root."""
    import json
    config = json.loads(plane.kubeconfig("operator-a").read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(plane.pki.folder / "apiserver.crt")
    user = config["users"][0]["user"]
    for part in ("client-certificate", "client-key"):
        user[part] = str(plane.folder / user[part])
    path = mail.folder / "pinned.kubeconfig"
    path.write_text(json.dumps(config))
    from processes import Operator
    operator = Operator("pinned", path, mail.folder)
    mail.operators.append(operator)
    operator.start()


def test_a_server_of_another_authority_is_not_believed(mail, plane):
    """The system's authorities, and any other than the kubeconfig's, do not count."""
    import json

    from control_plane import Pki
    other = Pki(mail.folder / "other")
    config = json.loads(plane.kubeconfig("operator-a").read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(other.folder / "ca.crt")
    user = config["users"][0]["user"]
    for part in ("client-certificate", "client-key"):
        user[part] = str(plane.folder / user[part])
    path = mail.folder / "wrong.kubeconfig"
    path.write_text(json.dumps(config))
    from processes import Operator
    operator = Operator("stranger", path, mail.folder)
    mail.operators.append(operator)
    operator.start(ready=False)
    wait_until(lambda: operator.records("list_failed"), 10, "it says so")
    assert "SSL handshake" in operator.records("list_failed")[0]["error"]
    assert operator.http(operator.health_port, "/readyz")[0] == 503
