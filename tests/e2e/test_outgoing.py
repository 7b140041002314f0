"""Where mail goes: to a standby and back, to the mail servers of its domain, and back to its sender."""

import collections

import cluster
import estate
import signing
import smarthost
from cluster import ADDRESS, DOMAIN, NODES
from estate import BALANCER, SINK, TO_SMARTHOST, TO_STANDBY
from traffic import Traffic
from waiting import wait_until


def in_sink():
    return [each for each in SINK.messages() if each.accepted]


def subjects_in_sink():
    """One for each copy; traffic.py's recipients are the subjects at example.net."""
    return [each.recipients[0].partition("@")[0] for each in in_sink()]


def test_a_standby_takes_mail_while_the_first_smarthost_is_away_and_gives_it_back():
    estate.put_in_force(smarthosts=[TO_SMARTHOST, TO_STANDBY])
    doubtful = estate.possible_duplicates()
    with Traffic(BALANCER, 200, "moving", every=0.1) as moving:
        wait_until(lambda: len(estate.subjects()) >= 20, 60, "the first takes mail")
        assert not in_sink(), "the standby gets nothing while the first is there"
        cluster.peer("stop", "smarthost")
        wait_until(lambda: len(in_sink()) >= 20, 60, "the standby takes mail")
        assert moving.is_running(), "it went on while messages came"
        cluster.peer("start", "smarthost")
        moving.finish(120)
    # A host that failed is left alone for a minute.
    with Traffic(BALANCER, 75, "back", every=1) as back:
        back.finish(120)
    expected = moving.subjects | back.subjects
    wait_until(lambda: set(estate.subjects()) | set(subjects_in_sink()) >= expected and not estate.waiting(), 60,
               "all of them have arrived")
    assert {f"back-{number}" for number in range(70, 75)} <= set(estate.subjects()), "the first takes mail again"
    copies = collections.Counter(estate.subjects() + subjects_in_sink())
    assert set(copies) == expected
    # Only what the smarthost may have taken while it went away may be there twice, and each is counted.
    assert sum(copies.values()) - len(copies) <= estate.possible_duplicates() - doubtful, copies.most_common(5)


def test_without_smarthosts_each_domains_mail_goes_to_its_own_servers_over_verified_tls():
    # The same authorities as always: they stay mounted, and the pods stay.
    before = estate.restarts(estate.pods())
    estate.put_in_force(smarthosts=[], delivery={
        "mxTls": "Required", "caRef": {"configMap": "smarthost-ca"}, "allowedPrivateNetworks": ["10.1.40.0/24"]})
    assert estate.restarts(estate.pods()) == before
    to_exim, to_sink = f"one@exim.{DOMAIN}", f"two@raw.{DOMAIN}"
    for node in NODES:
        estate.submit("a@example.com", to_exim, to_sink, subject=node, host=ADDRESS[node])
    wait_until(lambda: len(estate.envelopes()) == len(in_sink()) == len(NODES), 30, "each domain has its mail")
    assert estate.envelopes() == [("a@example.com", to_exim)] * len(NODES)
    assert sorted(estate.subjects()) == NODES
    for message in in_sink():
        assert (message.sender, message.recipients) == ("a@example.com", [to_sink])
        assert message.entry["tls"], "in clear"
    for pod in estate.pods().values():
        tls = {record["host"].partition(":")[0]: record["tls"] for record in estate.records(pod, "delivery")[-2:]}
        assert set(tls) == {f"smarthost.{DOMAIN}", f"sink.{DOMAIN}"}, tls
        assert all(each.endswith(" verified") for each in tls.values()), tls


def test_the_sender_of_what_the_smarthost_refuses_gets_a_signed_report():
    sender = f"sender@{signing.DOMAIN}"
    estate.submit(sender, "refused@example.net", "taken@example.net", subject="half")
    wait_until(lambda: len(estate.envelopes()) == 2, 30, "the message and the report")
    assert sorted(estate.envelopes()) == [("", sender), (sender, "taken@example.net")]
    report, = [each for each in smarthost.deliveries() if each.recipient == sender]
    assert report.message.get_content_type() == "multipart/report"
    assert f"postmaster@{signing.DOMAIN}" in report.message["From"]
    text, status, original = report.message.iter_parts()
    assert "refused@example.net" in text.get_content() and "taken@example.net" not in text.get_content()
    _, recipient = status.iter_parts()
    assert recipient["Final-Recipient"].endswith("refused@example.net")
    assert (recipient["Action"], recipient["Status"].split()[0]) == ("failed", "5.1.1")
    assert "No such user here" in recipient["Diagnostic-Code"]
    assert "Subject: half" in original.as_string()
    assert signing.present().verifies(report.raw), "the report is signed"
    wait_until(lambda: not estate.waiting(), 10, "nothing waits")
    assert [estate.metric(pod, "smtp_relay_failed_messages") for pod in estate.pods().values()] == [0] * len(NODES)
