"""What the operator sees may be old: with an API server that lags nothing is written, overwritten or deleted for a state that
is over, and all is as it should be when the server has caught up."""

import pytest
from lagging import LaggingServer
from waiting import stays_true, wait_until
from world import CHILDREN, RELAYS

RECONCILES = 'controller_runtime_reconcile_total{controller="smtprelay",result="%s"}'


@pytest.fixture
def server(plane):
    server = LaggingServer(plane)
    try:
        yield server
    finally:
        server.close()


def behind(mail, server):
    """An operator that sees the world through the lagging server."""
    return mail.operator("operator-b", "--no-leader-elect", port=server.port)


def reconciles(operator):
    return sum(operator.metric(RECONCILES % result) for result in ("success", "requeue", "requeue_after", "error"))


def conflicts(operator):
    return operator.metric(RECONCILES % "requeue")


def done(mail):
    """What operator-b changed: refused writes and dry runs change nothing."""
    return [(write["verb"], write["requestURI"].split("?")[0]) for write in mail.writes("operator-b")
            if write["responseStatus"]["code"] < 300 and "dryRun" not in write["requestURI"]]


def collect_garbage(mail, name):
    """What the garbage collector does to the children of a relay that is gone; here is none."""
    for kind in CHILDREN:
        path = CHILDREN[kind].replace("edge-", f"{name}-")
        if mail.api.find(path):
            mail.api.delete(path)


def children_of(mail, name):
    return {kind: mail.api.find(path.replace("edge-", f"{name}-")) for kind, path in CHILDREN.items()}


def owners(mail, name):
    return {child["metadata"]["ownerReferences"][0]["uid"] if child else None for child in children_of(mail, name).values()}


@pytest.mark.parametrize("kinds", [(), ("smtprelays",)], ids=["of everything", "of the relays alone"])
def test_an_operator_that_begins_with_an_older_state_writes_nothing_for_it(mail, server, kinds):
    """Three relays: one is changed since, one is gone, one is another of the same name."""
    first = mail.operator("operator-a", "--no-leader-elect")
    mail.apply("edge", network={"service": {"type": "None"}}, limits={"maxMessageSize": "5Mi"})
    mail.apply("gone", network={"port": 26}, health={"hostPort": 8026})
    mail.apply("again", network={"port": 27}, health={"hostPort": 8027})
    for name in ("edge", "gone", "again"):
        mail.wait_for_condition("ConfigValid", "True", "Accepted", name)
    wait_until(lambda: mail.relay("again")["status"]["observedGeneration"] == 1, 10, "all is published")
    server.remember(*kinds)

    mail.apply("edge", network={"service": {"type": "ClusterIP"}}, limits={"maxMessageSize": "7Mi"})
    wait_until(lambda: "7Mi" in mail.settings() and mail.child("Service"), 10, "the change is applied")
    for name in ("gone", "again"):
        mail.api.delete(f"{RELAYS}/{name}")
        mail.wait_for_event("Warning", "SpoolRetained", name)
        collect_garbage(mail, name)
    mail.apply("again", network={"port": 27}, health={"hostPort": 8027}, limits={"maxMessageSize": "9Mi"})
    wait_until(lambda: all(children_of(mail, "again").values()), 10, "the new one has its children")
    mail.wait_for_condition("ConfigValid", "True", "Accepted", "again")
    uid = mail.relay("again")["metadata"]["uid"]
    first.stop()
    versions = mail.versions()

    late = behind(mail, server)
    assert set(server.served) >= set(kinds or ("smtprelays", "daemonsets", "services", "configmaps"))
    wait_until(lambda: reconciles(late) >= 3, 10, "it has looked at what it believes there is")
    stays_true(lambda: mail.versions() == versions, 5, "nothing changes")
    assert done(mail) == []

    server.move_on()
    mail.apply("edge", network={"service": {"type": "ClusterIP"}}, limits={"maxMessageSize": "8Mi"})
    wait_until(lambda: "8Mi" in mail.settings(), 30, "it has caught up")
    wait_until(lambda: mail.relay()["status"]["observedGeneration"] == mail.relay()["metadata"]["generation"], 10, "and says so")
    assert owners(mail, "again") == {uid}
    assert set(children_of(mail, "gone").values()) == {None}
    assert mail.child("Service")["metadata"]["resourceVersion"] == versions[CHILDREN["Service"]], "it was there all the time"
    assert not [change for change in done(mail) if change[0] == "delete"]


def test_no_child_is_made_for_a_relay_whose_deletion_has_not_been_seen(mail, server):
    late = behind(mail, server)
    mail.apply()
    mail.wait_for_children()
    wait_until(lambda: mail.relay()["status"]["observedGeneration"] == 1, 10, "all is published")
    server.hold("smtprelays")
    mail.api.delete(f"{RELAYS}/edge")
    before, seen = len(done(mail)), conflicts(late)
    collect_garbage(mail, "edge")
    wait_until(lambda: conflicts(late) > seen, 10, "it misses the children, and finds that the relay is gone")
    stays_true(lambda: not any(children_of(mail, "edge").values()), 3, "none of them is made")
    assert len(done(mail)) == before
    server.move_on()
    mail.wait_for_event("Warning", "SpoolRetained")
    seen = conflicts(late)
    stays_true(lambda: conflicts(late) == seen, 2, "it does not try any more")
    assert not any(children_of(mail, "edge").values())


def test_a_deletion_that_was_not_seen_is_found_by_the_next_relay_of_the_name(mail, server):
    behind(mail, server)
    mail.apply()
    mail.wait_for_children()
    server.drop("smtprelays", "DELETED", "edge")
    mail.api.delete(f"{RELAYS}/edge")
    wait_until(lambda: server.dropped, 10, "its event is lost")
    collect_garbage(mail, "edge")
    mail.apply(limits={"maxMessageSize": "7Mi"})
    uid = mail.relay()["metadata"]["uid"]
    wait_until(lambda: owners(mail, "edge") == {uid}, 15, "the new one has children of its own")
    assert "7Mi" in mail.settings()
    mail.wait_for_condition("ConfigValid", "True", "Accepted")


def test_a_change_that_was_not_seen_is_found_with_the_next(mail, server):
    behind(mail, server)
    mail.apply()
    mail.wait_for_children()
    wait_until(lambda: mail.relay()["status"]["observedGeneration"] == 1, 10, "all is published")
    server.drop("smtprelays", "MODIFIED", "edge", generation=2)
    mail.apply(limits={"maxMessageSize": "7Mi"})
    wait_until(lambda: server.dropped, 10, "its event is lost")
    mail.apply(limits={"maxMessageSize": "7Mi", "maxRecipients": 177})
    wait_until(lambda: "177" in mail.settings() and "7Mi" in mail.settings(), 10, "both are in force")
    wait_until(lambda: mail.relay()["status"]["observedGeneration"] == 3, 10, "and reported")


@pytest.mark.parametrize("kind", list(CHILDREN))
def test_a_child_whose_deletion_was_not_seen_is_back_behind_the_next_list(mail, server, kind):
    behind(mail, server)
    mail.apply()
    mail.wait_for_children()
    server.drop(CHILDREN[kind].rsplit("/", 2)[1], "DELETED", "edge-smtp-relay")
    mail.api.delete(CHILDREN[kind])
    wait_until(lambda: server.dropped, 10, "its event is lost")
    assert mail.child(kind) is None
    server.expire()
    wait_until(lambda: mail.child(kind), 20, "it is back")
