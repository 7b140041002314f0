"""Killed behind any of its writes, the next run ends where an undisturbed one does."""

import pytest
from waiting import stays_true, wait_until
from world import CHILDREN

SECRET = {"passwdClientSecretRef": {"name": "credentials"}}


def made(mail):
    """What the children are, without what tells one run from another."""
    found = {}
    for kind in CHILDREN:
        child = mail.child(kind)
        metadata = child["metadata"]
        owners = [(owner["kind"], owner["name"], owner["controller"]) for owner in metadata["ownerReferences"]]
        spec = {key: value for key, value in child.get("spec", {}).items() if not key.startswith("clusterIP")}
        found[kind] = (metadata["labels"], owners, metadata.get("generation"), spec, child.get("data"))
    return found


@pytest.fixture(scope="module")
def undisturbed():
    return {}


# Behind the conditions, each child, and the second status; 0: killed when nothing had been written yet.
@pytest.mark.parametrize("writes", ["never"] + list(range(len(CHILDREN) + 2)))
def test_killed_behind_each_of_its_writes_the_next_run_converges(mail, undisturbed, writes):
    mail.secret("credentials", **{"passwd.client": "smtp.test:user:x"})
    if writes != "never":
        # One write in half a second: it is killed between two of them.
        first = mail.operator("operator-a", "--no-leader-elect", "--qps=2", "--burst=1")
        mail.apply(**SECRET)
        wait_until(lambda: len(mail.writes("operator-a")) >= writes, 20, f"{writes} writes", every=0.02)
        first.kill()
    else:
        mail.apply(**SECRET)
    mail.operator("operator-a", "--no-leader-elect")
    mail.wait_for_children()
    wait_until(lambda: mail.relay()["status"]["observedGeneration"] == 1, 10, "the status is published")
    now = made(mail)
    undisturbed.setdefault("children", now)
    assert now == undisturbed["children"]
    names = {path.rsplit("/", 1)[1] for path in mail.versions()}
    assert names - {"edge", "edge-smtp-relay", "credentials"} <= {"kube-root-ca.crt"}, "no orphan"
    versions = mail.versions()
    stays_true(lambda: mail.versions() == versions, 1, "it is at rest")
