"""The definition in crds/: what the API server accepts, fills in, refuses and explains."""

import copy

import pytest
import world
from control_plane import ApiError
from world import RELAYS, relay

SMARTHOST = {"name": "primary", "host": "smtp.test"}


def networks(*entries, **more):
    return {"access": {"allowedNetworks": list(entries), **more}}


def smarthost(**fields):
    return {"smarthosts": [{**SMARTHOST, **fields}]}


# What a rule is about, fields that it accepts, fields that it refuses, and words of its message.
RULES = [
    ("networks have no host bits", networks("10.20.0.0/16", "2001:db8::/32"), networks("10.20.0.1/16"), "host bits zero"),
    ("networks are networks", networks("10.20.0.0/16"), networks("everyone"), "host bits zero"),
    ("IPv4 networks are /8 at least", networks("10.0.0.0/8"), networks("0.0.0.0/0"), "an open relay is not offered"),
    ("IPv6 networks are /16 at least", networks("2001::/16"), networks("2000::/3"), "an open relay is not offered"),
    ("somebody is allowed", networks("10.0.0.0/8"), networks(), "at least 1 item"),
    ("networks are a set", networks("10.0.0.0/8", "11.0.0.0/8"), networks("10.0.0.0/8", "10.0.0.0/8"), "Duplicate"),
    ("hidden sources are networks", networks("10.0.0.0/8", hiddenSources=["10.1.1.1/32"]),
     networks("10.0.0.0/8", hiddenSources=["10.1.1.1/8"]), "host bits zero"),
    ("trusted networks are networks", {"network": {"proxyProtocol": {"trustedNetworks": ["10.1.40.50/32"]}}},
     {"network": {"proxyProtocol": {"trustedNetworks": ["lb"]}}}, "host bits zero"),
    ("port 465 means implicit TLS", smarthost(port=465, tls={"mode": "Implicit"}), smarthost(port=465), "tls.mode Implicit"),
    ("an authority is in one place", smarthost(tls={"caRef": {"secret": "ca"}}),
     smarthost(tls={"caRef": {"secret": "ca", "configMap": "ca"}}), "either a configMap or a secret"),
    ("an authority is somewhere", smarthost(tls={"caRef": {"configMap": "ca"}}),
     smarthost(tls={"caRef": {"key": "ca.crt"}}), "either a configMap or a secret"),
    ("there is one smarthost", smarthost(), {"smarthosts": [SMARTHOST, {**SMARTHOST, "name": "b"}]}, "at most 1 item"),
    ("there is a smarthost", smarthost(), {"smarthosts": []}, "at least 1 item"),
    ("TLS modes are known", smarthost(tls={"mode": "None"}), smarthost(tls={"mode": "Sometimes"}), "Unsupported value"),
    ("ports of the node differ", {"network": {"port": 8026}}, {"network": {"port": 8025}}, "must differ"),
    ("ports are ports", {"network": {"port": 65535}}, {"network": {"port": 65536}}, "less than or equal to 65535"),
    ("retry times are in their order", {"retry": {"initialDelay": "1h", "maxDelay": "1h", "maxAge": "1h"}},
     {"retry": {"initialDelay": "2h"}}, "initialDelay <= maxDelay"),
    ("retry times have bounds", {"retry": {"maxAge": "720h"}}, {"retry": {"maxAge": "721h"}}, "maxAge at most 720h"),
    ("retry times are durations", {"retry": {"initialDelay": "1m30s"}}, {"retry": {"initialDelay": "soon"}}, "should match"),
    ("message sizes have bounds", {"limits": {"maxMessageSize": "1Gi"}}, {"limits": {"maxMessageSize": "2Gi"}}, "from 64Ki to 1Gi"),
    ("message sizes are sizes", {"limits": {"maxMessageSize": "26214400"}}, {"limits": {"maxMessageSize": "big"}}, "should match"),
    ("spool sizes have bounds", {"spool": {"maxSize": "1Ti"}}, {"spool": {"maxSize": "1Ki"}}, "from 1Mi to 1Ti"),
    ("loss of mail is accepted in words", {"spool": {"type": "EmptyDir", "acceptMailLoss": True}},
     {"spool": {"type": "EmptyDir"}}, "acceptMailLoss: true"),
    ("drain times have bounds", {"drain": {"lameDuck": "10m"}}, {"drain": {"lameDuck": "11m"}}, "at most 10m"),
    ("environments are few", {"envFrom": [{"configMapRef": {"name": str(i)}} for i in range(4)]},
     {"envFrom": [{"configMapRef": {"name": str(i)}} for i in range(5)]}, "at most 4 items"),
]


@pytest.mark.parametrize("good, bad, words", [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_a_rule_accepts_and_refuses(mail, good, bad, words):
    mail.api.create(RELAYS + "?dryRun=All", relay(**good))
    with pytest.raises(ApiError) as refused:
        mail.api.create(RELAYS + "?dryRun=All", relay(**bad))
    assert refused.value.code == 422
    assert words in refused.value.message


@pytest.mark.parametrize("name, is_good", [("edge-1", True), ("x" * 46, True), ("x" * 47, False), ("1edge", False),
                                           ("edge.b", False)])
def test_names_fit_pods_and_labels(mail, name, is_good):
    if is_good:
        mail.api.create(RELAYS + "?dryRun=All", relay(name))
        return
    with pytest.raises(ApiError) as refused:
        mail.api.create(RELAYS + "?dryRun=All", relay(name))
    assert "metadata.name must begin with a letter" in refused.value.message


def test_the_type_of_a_spool_cannot_change(mail):
    mail.apply()
    with pytest.raises(ApiError) as refused:
        mail.api.patch(f"{RELAYS}/edge", {"spec": {"spool": {"type": "EmptyDir", "acceptMailLoss": True}}})
    assert "type can't change" in refused.value.message
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"spool": {"maxSize": "5Gi"}}})


def test_defaults_are_filled_in(mail):
    spec = mail.apply()["spec"]
    assert spec["network"] == {"port": 25, "proxyProtocol": {"trustedNetworks": []}}
    assert spec["smarthosts"][0] == {"name": "primary", "host": "smtp.test", "port": 587, "tls": {"mode": "Required"}}
    assert spec["spool"] == {"type": "HostPath", "maxSize": "10Gi", "minFreePercent": 10}
    assert spec["retry"] == {"initialDelay": "1m", "maxDelay": "1h", "maxAge": "120h"}
    assert spec["drain"] == {"lameDuck": "20s", "sessionTimeout": "30s"}
    assert spec["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    assert spec["health"] == {"hostPort": 8025}


def test_unknown_fields_are_reported(mail, plane):
    manifest = copy.deepcopy(relay())
    manifest["spec"]["smarthost"] = "smtp.test"
    answer = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=world.json.dumps(manifest),
                           check=False)
    assert 'unknown field "spec.smarthost"' in answer


def test_people_find_their_way(mail, plane):
    mail.apply()
    assert "Networks of the clients that may relay" in plane.kubectl("explain", "smr.spec.access.allowedNetworks")
    columns = plane.kubectl("get", "smr", "-n", "mail").splitlines()[0].split()
    assert columns == ["NAME", "READY", "DESIRED", "READY-NODES", "UPDATED", "PORT", "REASON", "AGE"]
    assert "smtp.test" in plane.kubectl("get", "smtp", "-n", "mail", "-o", "wide")
