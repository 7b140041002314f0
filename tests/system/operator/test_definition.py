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


def auth(**fields):
    return smarthost(auth={"secretRef": {"name": "credentials"}, **fields})


def token(**fields):
    return auth(mechanism="XOAuth2", token={"url": "https://login.test/token", "refreshTokenKey": "refresh", **fields})


def delivery(**fields):
    return {"delivery": fields}


def destination(**fields):
    return delivery(destinations=[{"domains": ["a.test"], **fields}])


def source(**fields):
    return delivery(sources=[{"name": "a", "address": "192.0.2.1", **fields}])


def dkim(*keys):
    return {"dkim": [{"domain": "a.test", "selector": "s1", "secretRef": {"name": "dkim"}, **key} for key in keys]}


def many(count):
    return [{**SMARTHOST, "name": f"h{i}"} for i in range(count)]


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
    ("smarthosts are few", {"smarthosts": many(16)}, {"smarthosts": many(17)}, "at most 16 items"),
    ("smarthosts have names of their own", {"smarthosts": many(2)}, {"smarthosts": [SMARTHOST, SMARTHOST]}, "Duplicate"),
    ("TLS modes are known", smarthost(tls={"mode": "None"}), smarthost(tls={"mode": "Sometimes"}), "Unsupported value"),
    ("TLS versions are known", smarthost(tls={"minVersion": "1.3"}), smarthost(tls={"minVersion": "1.1"}), "Unsupported value"),
    ("priorities have bounds", smarthost(priority=0), smarthost(priority=1001), "less than or equal to 1000"),
    ("weights have bounds", smarthost(weight=1000), smarthost(weight=0), "greater than or equal to 1"),
    ("domains are domains", smarthost(recipientDomains=["a.test", "*.a.test", "*"]), smarthost(recipientDomains=["a,b"]),
     "should match"),
    ("sender domains are domains", smarthost(senderDomains=["*.a.test"]), smarthost(senderDomains=["me@a.test"]), "should match"),
    ("server names are names", smarthost(tls={"serverName": "mx.test"}), smarthost(tls={"serverName": "a b"}), "should match"),
    ("no credentials in clear", auth(), {"smarthosts": [{**auth()["smarthosts"][0], "tls": {"mode": "Opportunistic"}}]},
     "credentials never go in clear"),
    ("credentials are in one place", {**smarthost(), "passwdClientSecretRef": {"name": "a"}},
     {**auth(), "passwdClientSecretRef": {"name": "a"}}, "not from both"),
    ("mechanisms are known", auth(mechanism="ScramSha256"), auth(mechanism="CramMd5"), "Unsupported value"),
    ("a token needs its mechanism", token(), {"smarthosts": [{**token()["smarthosts"][0], "auth": {
        **token()["smarthosts"][0]["auth"], "mechanism": "Plain"}}]}, "token is for mechanism XOAuth2"),
    ("a mechanism needs its token", token(), auth(mechanism="XOAuth2"), "token is for mechanism XOAuth2"),
    ("a token needs a secret", token(clientSecretKey="secret"),
     auth(mechanism="XOAuth2", token={"url": "https://login.test/token"}), "name clientSecretKey"),
    ("a token comes by https", token(), token(url="http://login.test/token"), "should match"),
    ("connect timeouts have bounds", smarthost(limits={"connectTimeout": "10m"}), smarthost(limits={"connectTimeout": "11m"}),
     "from 1s to 10m"),
    ("connect timeouts take a while", smarthost(limits={"connectTimeout": "1s"}), smarthost(limits={"connectTimeout": "0s"}),
     "from 1s to 10m"),
    ("rates are rates", smarthost(limits={"messageRate": "100/1m30s"}), smarthost(limits={"messageRate": "100/"}), "should match"),
    ("MX TLS is known", delivery(mxTls="Required"), delivery(mxTls="Implicit"), "Unsupported value"),
    ("private networks are networks", delivery(allowedPrivateNetworks=["10.0.0.0/8"]),
     delivery(allowedPrivateNetworks=["10.0.0.1/8"]), "host bits zero"),
    ("MX authorities are in one place", delivery(caRef={"configMap": "ca"}), delivery(caRef={}),
     "either a configMap or a secret"),
    ("trust anchors are somewhere", delivery(trustAnchorsConfigMapRef={"name": "a"}), delivery(trustAnchorsConfigMapRef={}),
     "Required value"),
    ("destinations match something", destination(), destination(domains=[]), "name domains or providers"),
    ("destinations match by provider", delivery(destinations=[{"providers": ["big"]}]), delivery(destinations=[{}]),
     "name domains or providers"),
    ("destinations begin before they wait longest", destination(retry={"initialDelay": "1m", "maxDelay": "1m"}),
     destination(retry={"initialDelay": "2m", "maxDelay": "1m"}), "initialDelay <= maxDelay"),
    ("destinations wait before they give up", destination(retry={"maxDelay": "1h", "maxAge": "1h"}),
     destination(retry={"maxDelay": "2h", "maxAge": "1h"}), "maxDelay <= maxAge"),
    ("destinations have bounds", destination(retry={"initialDelay": "24h"}), destination(retry={"initialDelay": "25h"}),
     "from 1s to 24h"),
    ("destinations have longest waits", destination(retry={"maxDelay": "1s"}), destination(retry={"maxDelay": "0s"}),
     "from 1s to 24h"),
    ("destinations have ends", destination(retry={"maxAge": "720h"}), destination(retry={"maxAge": "721h"}), "from 1s to 720h"),
    ("destinations warn in time", destination(retry={"warnAfter": "0s"}), destination(retry={"warnAfter": "721h"}),
     "from 0s to 720h"),
    ("destinations have a TLS that is known", destination(tls="Policy"), destination(tls="Implicit"), "Unsupported value"),
    ("providers have servers", delivery(providers=[{"name": "big", "mx": ["*.big.test"]}]),
     delivery(providers=[{"name": "big", "mx": []}]), "at least 1 item"),
    ("sources are addresses", source(address="2001:db8::1"), source(address="mx.test"), "must be an IP address"),
    ("warm-ups begin on a day", source(warmUp={"from": "2026-11-25", "messagesPerDay": [50, 100]}),
     source(warmUp={"from": "2026-13-25", "messagesPerDay": [50]}), "should match"),
    ("warm-ups have numbers", source(warmUp={"from": "2026-11-25", "messagesPerDay": [50]}),
     source(warmUp={"from": "2026-11-25"}), "Required value"),
    ("bulk headers are header fields", delivery(bulkHeaders=["X-Kind: news"]), delivery(bulkHeaders=["news"]), "should match"),
    ("bulk senders are single", delivery(bulkSenders=["news@a.test", "*.a.test"]), delivery(bulkSenders=["a.test,b.test"]),
     "should match"),
    ("DKIM keys differ", dkim({}, {"selector": "s2"}), dkim({}, {}), "Duplicate"),
    ("DKIM keys are somewhere", dkim({}), {"dkim": [{"domain": "a.test", "selector": "s1"}]}, "Required value"),
    ("DKIM keys are few", dkim(*({"selector": f"s{i}"} for i in range(64))), dkim(*({"selector": f"s{i}"} for i in range(65))),
     "at most 64 items"),
    ("canonicalizations are known", dkim({"canonicalization": "simple/relaxed"}), dkim({"canonicalization": "simple"}),
     "Unsupported value"),
    ("signatures expire in time", dkim({"expires": "1h"}), dkim({"expires": "59m"}), "from 1h to 720h"),
    ("reports come from an address", {"bounces": {"from": "postmaster@a.test"}}, {"bounces": {"from": "postmaster"}},
     "should match"),
    ("reports come from an address alone", {"bounces": {"from": "mail.o'hara+x@a.test"}},
     {"bounces": {"from": "Mail <postmaster@a.test>"}}, "should match"),
    ("reports come from an address with a domain's name", {"bounces": {"from": "a@localhost"}},
     {"bounces": {"from": "a@[192.0.2.1]"}}, "should match"),
    ("reports come from an ASCII address", {"bounces": {"from": "a" * 64 + "@a.test"}},
     {"bounces": {"from": "grün@a.test"}}, "should match"),
    ("reports have a size", {"bounces": {"maxReturned": "1Mi"}}, {"bounces": {"maxReturned": "2Mi"}}, "from 1Ki to 1Mi"),
    ("reports have a rate", {"bounces": {"ratePerSender": "1/1s"}}, {"bounces": {"ratePerSender": "0/1h"}}, "should match"),
    ("dead letters go in time", {"bounces": {"deadLetterMaxAge": "8760h"}}, {"bounces": {"deadLetterMaxAge": "8761h"}},
     "from 0s to 8760h"),
    ("TLS reports come from an address", {"tlsReports": {"from": "tls@a.test"}}, {"tlsReports": {"from": "a,b@a.test"}},
     "should match"),
    ("redaction keys are somewhere", {"logging": {"redactAddresses": True, "keySecretRef": {"name": "a"}}},
     {"logging": {"keySecretRef": {"key": "a"}}}, "Required value"),
    ("keys of Secrets are such", {"logging": {"keySecretRef": {"name": "a", "key": "a.b"}}},
     {"logging": {"keySecretRef": {"name": "a", "key": "../b"}}}, "should match"),
    ("ports of the node differ", {"network": {"port": 8026}}, {"network": {"port": 8025}}, "must differ"),
    ("ports are ports", {"network": {"port": 65535}}, {"network": {"port": 65536}}, "less than or equal to 65535"),
    ("retry times are in their order", {"retry": {"initialDelay": "1h", "maxDelay": "1h", "maxAge": "1h"}},
     {"retry": {"initialDelay": "2h"}}, "initialDelay <= maxDelay"),
    ("retry times have bounds", {"retry": {"maxAge": "720h"}}, {"retry": {"maxAge": "721h"}}, "maxAge at most 720h"),
    ("MX retry times have bounds", {"retry": {"mxInitialDelay": "24h"}}, {"retry": {"mxInitialDelay": "25h"}}, "from 1s to 24h"),
    ("warnings have bounds", {"retry": {"warnAfter": "0s"}}, {"retry": {"warnAfter": "721h"}}, "from 0s to 720h"),
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
    assert spec["smarthosts"][0] == {
        "name": "primary", "host": "smtp.test", "port": 587, "priority": 10, "weight": 1, "recipientDomains": [],
        "senderDomains": [], "tls": {"mode": "Required", "minVersion": "1.2"},
        "limits": {"maxConnections": 20, "messagesPerConnection": 100, "connectTimeout": "30s"}}
    assert spec["delivery"] == {
        "mxTls": "Policy", "maxConnectionsPerDomain": 20, "allowedPrivateNetworks": [], "destinations": [], "providers": [],
        "sources": [], "bulkSenders": [], "bulkHeaders": ["Precedence: bulk", "Precedence: list"], "maxConnections": 2000,
        "maxMessages": 5000}
    assert spec["bounces"] == {"maxReturned": "50k", "ratePerSender": "100/1h", "deadLetterMaxAge": "168h"}
    assert (spec["dkim"], spec["tlsReports"], spec["logging"]) == ([], {}, {"redactAddresses": False})
    assert spec["spool"] == {"type": "HostPath", "maxSize": "10Gi", "minFreePercent": 10}
    assert spec["retry"] == {"initialDelay": "1m", "maxDelay": "1h", "maxAge": "120h", "mxInitialDelay": "30m",
                             "warnAfter": "4h"}
    assert spec["drain"] == {"lameDuck": "20s", "sessionTimeout": "30s"}
    assert spec["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    assert spec["health"] == {"hostPort": 8025}


def test_defaults_of_what_is_named_are_filled_in(mail):
    spec = mail.apply(**{
        **auth(), **dkim({}), "logging": {"keySecretRef": {"name": "redaction"}},
        "delivery": {"providers": [{"name": "big", "mx": ["*.big.test"]}], "sources": [{"name": "a", "address": "192.0.2.1"}],
                     "destinations": [{"domains": ["a.test"]}]}})["spec"]
    assert spec["smarthosts"][0]["auth"] == {
        "mechanism": "Any", "secretRef": {"name": "credentials", "usernameKey": "username", "passwordKey": "password"}}
    assert spec["dkim"] == [{"domain": "a.test", "selector": "s1", "secretRef": {"name": "dkim", "key": "private.key"},
                             "senders": [], "headers": [], "canonicalization": "relaxed/relaxed"}]
    assert spec["logging"]["keySecretRef"] == {"name": "redaction", "key": "key"}
    assert spec["delivery"]["providers"] == [{"name": "big", "mx": ["*.big.test"], "maxConnections": 100}]
    assert spec["delivery"]["sources"] == [{"name": "a", "address": "192.0.2.1", "pool": "default", "weight": 1}]
    assert spec["delivery"]["destinations"] == [{"domains": ["a.test"], "providers": []}]


def test_no_smarthost_is_needed(mail):
    assert mail.apply(smarthosts=[])["spec"]["smarthosts"] == []


@pytest.mark.parametrize("name", ["minimal", "full", "empty-dir", "mx"])
def test_golden_resources_are_accepted_as_they_are(mail, plane, name):
    """Strictly: no field of theirs is unknown."""
    text = (world.ROOT / f"tests/golden/{name}.smtprelay.yaml").read_text()
    servers = ("uid:", "resourceVersion:", "generation:")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith(servers))
    assert "created" in plane.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=text)


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
