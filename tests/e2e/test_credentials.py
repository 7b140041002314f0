"""A password that changes: at the smarthost, then in the Secret. Mail waits, then flows; nothing restarts or leaks."""

import time

import cluster
import estate
import smarthost
from cluster import kubectl
from estate import BALANCER, NAMESPACE, SMARTHOST
from traffic import Traffic
from waiting import wait_until


def test_mail_waits_for_the_new_password_and_then_flows_without_a_restart():
    user, old = smarthost.credentials()
    new = f"new-{time.time_ns()}"
    before = estate.restarts(estate.pods())
    smarthost.set_credentials(user, new)
    with Traffic(BALANCER, 9, "waiting") as traffic:
        traffic.finish(60)
    wait_until(lambda: estate.waiting() == 9, 60, "all of them wait")
    refused = wait_until(
        lambda: [pod for pod in estate.pods().values() if estate.metric(pod, "smtp_relay_credentials_refused") == 1], 10,
        "a metric says that the credentials are refused")
    record = estate.records(refused[0], "credentials_refused")[-1]
    assert SMARTHOST in str(record), record
    assert estate.subjects() == []

    changed = time.monotonic()
    cluster.apply(estate.secret(user, new))
    wait_until(lambda: len(estate.subjects()) == 9, 30, "all of them in the mailbox")
    took = time.monotonic() - changed
    assert took < 10, f"in force after {took:.1f} s"
    print(f"a changed Secret was in force, and its mail delivered, after {took:.1f} s")
    wait_until(lambda: all(estate.metric(pod, "smtp_relay_credentials_refused") == 0 for pod in refused), 10,
               "the metric says that they are accepted")
    assert sorted(estate.subjects()) == sorted(traffic.subjects)
    assert estate.restarts(estate.pods()) == before

    for secret in (old, new):
        for place, text in estate.everything_that_is_told():
            assert secret not in text, f"the password stands in {place}"


def test_a_secret_that_is_gone_is_named_by_a_condition_and_what_runs_goes_on():
    kubectl("-n", NAMESPACE, "delete", "secret", "smarthost")
    wait_until(lambda: estate.condition("SecretsResolved")["status"] == "False", 10, "the condition")
    told = estate.condition("SecretsResolved")
    assert told["reason"] == "SecretNotFound" and "smarthost" in told["message"], told
    with Traffic(BALANCER, 3, "still") as traffic:
        traffic.finish(60)
    wait_until(lambda: len(estate.subjects()) == 3, 30, "mail flows with the credentials that the pods have")
    cluster.apply(estate.secret(*smarthost.credentials()))
    wait_until(lambda: estate.condition("SecretsResolved")["status"] == "True", 10, "the condition")


def test_a_secret_without_its_key_is_named_with_the_keys_that_it_has():
    kubectl("-n", NAMESPACE, "patch", "secret", "smarthost", "--type=json",
            "-p", '[{"op": "move", "from": "/data/passwd.client", "path": "/data/other"}]')
    wait_until(lambda: estate.condition("SecretsResolved")["reason"] == "SecretKeyMissing", 10, "the condition")
    told = estate.condition("SecretsResolved")["message"]
    assert "passwd.client" in told and "other" in told, told
