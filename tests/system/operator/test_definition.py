"""The definition in crds/: what the API server accepts, fills in, refuses and explains."""

import copy
import re

import pytest
import world
from control_plane import ApiError
from world import MINIMAL, RELAYS, relay

SMARTHOST = {"name": "primary", "host": "smtp.test"}


def networks(*entries, **more):
    return {"access": {"allowedNetworks": list(entries), **more}}


def tls(**fields):
    return {"tls": fields}


def smarthost(**fields):
    return {"smarthosts": [{**SMARTHOST, **fields}]}


def auth(**fields):
    return smarthost(auth={"secretRef": {"name": "credentials"}, **fields})


def users(**fields):
    return {"auth": {"secretRef": {"name": "smtp-users"}, **fields}}


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


def policies(*rules):
    return {"policies": [{"name": f"r{i}", "action": "Hold", **rule} for i, rule in enumerate(rules)]}


def binding(**fields):
    return {"access": {"allowedNetworks": ["10.0.0.0/8"], "senderBindings": [{"name": "a", "senders": ["a.test"], **fields}]}}


def match(**fields):
    return policies({"match": fields})


def milter(**fields):
    return {"receive": {"milters": [{"name": "filter", "host": "rspamd.mail.svc", "port": 11332, **fields}]}}


def listeners(*each, **network):
    return {"network": {"listeners": [{"name": f"l{i}", "port": 3000 + i, **one} for i, one in enumerate(each)], **network}}


def spool(**fields):
    return {"spool": fields}


def pods(**fields):
    return {"podMetadata": fields}


def many(count):
    return [{**SMARTHOST, "name": f"h{i}"} for i in range(count)]


# Each rule of the definition: its place, words of its message, fields that it accepts, and fields that it refuses. Text in
# place of fields is the resource's name; a fifth entry is what the resource said before. Some rules have several examples.
RULES = [
    ("", "metadata.name must begin with a letter", "edge-1", "1edge"),
    ("", "at most 46 characters", "x" * 46, "x" * 47),
    ("", "letters, digits and hyphens only", "edge", "edge.b"),
    ("spec", "not from both", {**smarthost(), "passwdClientSecretRef": {"name": "a"}},
     {**auth(), "passwdClientSecretRef": {"name": "a"}}),
    ("spec", "both are ports of the node", {"network": {"port": 8026}}, {"network": {"port": 8025}}),
    ("spec", "both are ports of the node", {"network": {"mode": "ClusterOnly", "port": 8025}}, {"health": {"hostPort": 25}}),
    ("spec.network", "it needs mode HostPort", {"network": {"hostIP": "192.0.2.10"}},
     {"network": {"hostIP": "192.0.2.10", "mode": "ClusterOnly"}}),
    ("spec.network.hostIP", "must be an IP address", {"network": {"hostIP": "2001:db8::1"}}, {"network": {"hostIP": "node1"}}),
    ("spec.network.proxyProtocol.trustedNetworks", "host bits zero",
     {"network": {"proxyProtocol": {"trustedNetworks": ["10.1.40.50/32"]}}}, {"network": {"proxyProtocol": {"trustedNetworks": ["lb"]}}}),
    ("spec.helo", "from Static, which needs it", {"helo": {"from": "Static", "name": "mail.a.test"}}, {"helo": {"from": "Static"}}),
    ("spec.helo", "name is for from Static", {"helo": {"from": "NodeName"}}, {"helo": {"name": "mail.a.test"}}),
    ("spec.helo", "it needs from NodeName", {"helo": {"domainSuffix": "a.test"}},
     {"helo": {"from": "Static", "name": "mail.a.test", "domainSuffix": "a.test"}}),
    ("spec.access.allowedNetworks", "host bits zero", networks("10.20.0.0/16", "2001:db8::/32"), networks("10.20.0.1/16")),
    ("spec.access.allowedNetworks", "host bits zero", networks("10.20.0.0/16"), networks("everyone")),
    ("spec.access.allowedNetworks", "an open relay is not offered", networks("10.0.0.0/8"), networks("0.0.0.0/0")),
    ("spec.access.allowedNetworks", "an open relay is not offered", networks("2001::/16"), networks("2000::/3")),
    ("spec.access.hiddenSources", "host bits zero", networks("10.0.0.0/8", hiddenSources=["10.1.1.1/32"]),
     networks("10.0.0.0/8", hiddenSources=["10.1.1.1/8"])),
    ("spec.tls", "mode Required needs secretRef", tls(mode="Required", secretRef={"name": "smtp-tls"}), tls(mode="Required")),
    ("spec.tls", "no TLS without a certificate", tls(mode="Opportunistic", minVersion="1.3"), tls(mode="Required", minVersion="1.3")),
    ("spec", "auth needs TLS for clients", {**users(), **tls(secretRef={"name": "smtp-tls"})}, users()),
    ("spec", "auth needs TLS for clients", users(requireTls=False), {**users(), **tls(mode="None", secretRef={"name": "smtp-tls"})}),
    ("spec", "auth needs TLS for clients",
     {**users(), **tls(mode="None", secretRef={"name": "smtp-tls"}), **listeners({"tls": "Implicit"})},
     {**users(), **tls(mode="None", secretRef={"name": "smtp-tls"}), **listeners({"tls": "None"})}),
    ("spec", "network.listeners and health.hostPort must differ", listeners({"port": 8026}), listeners({"port": 8025})),
    ("spec", "network.listeners and health.hostPort must differ", listeners({"port": 8025}, mode="ClusterOnly"),
     {**listeners({"port": 8030}), "health": {"hostPort": 8030}}),
    ("spec", "needs tls.secretRef", {**listeners({"tls": "Implicit"}), **tls(secretRef={"name": "smtp-tls"})},
     listeners({"tls": "Implicit"})),
    ("spec", "needs tls.secretRef", listeners({"tls": "Optional"}, {"tls": "None"}), listeners({"tls": "Required"})),
    ("spec", "without users nobody can log in", {**listeners({"auth": "Required"}), **users(requireTls=False)},
     listeners({"auth": "Required"})),
    ("spec", "nobody could log in", {**listeners({"auth": "Required", "tls": "None"}), **users(requireTls=False)},
     {**listeners({"auth": "Required", "tls": "None"}), **users(), **tls(secretRef={"name": "smtp-tls"})}),
    ("spec.network", "a port of its own", listeners({"port": 587}, {"port": 588}), listeners({"port": 587}, {"port": 587})),
    ("spec.network", "a port of its own", listeners({"port": 25}, port=26), listeners({"port": 25})),
    ("spec.network.listeners[]", "it needs tls Implicit",
     {**listeners({"port": 465, "tls": "Implicit"}), **tls(secretRef={"name": "smtp-tls"})}, listeners({"port": 465})),
    ("spec.network.listeners[].name", "smtp is the listener at network.port", listeners({"name": "smtps"}), listeners({"name": "smtp"})),
    ("spec.network.listeners[].allowedNetworks", "host bits zero", listeners({"allowedNetworks": ["10.0.0.0/8"]}),
     listeners({"allowedNetworks": ["10.0.0.1/8"]})),
    ("spec.network.listeners[].allowedNetworks", "an open relay is not offered", listeners({"allowedNetworks": ["2001::/16"]}),
     listeners({"allowedNetworks": ["0.0.0.0/0"]})),
    ("spec.smarthosts[]", "tls.mode Implicit", smarthost(port=465, tls={"mode": "Implicit"}), smarthost(port=465)),
    ("spec.smarthosts[]", "credentials never go in clear", auth(),
     {"smarthosts": [{**auth()["smarthosts"][0], "tls": {"mode": "Opportunistic"}}]}),
    ("spec.smarthosts[].tls.caRef", "either a configMap or a secret", smarthost(tls={"caRef": {"secret": "ca"}}),
     smarthost(tls={"caRef": {"secret": "ca", "configMap": "ca"}})),
    ("spec.smarthosts[].tls.caRef", "either a configMap or a secret", smarthost(tls={"caRef": {"configMap": "ca"}}),
     smarthost(tls={"caRef": {"key": "ca.crt"}})),
    ("spec.smarthosts[].auth", "token is for mechanism XOAuth2", token(), {"smarthosts": [{
        **token()["smarthosts"][0], "auth": {**token()["smarthosts"][0]["auth"], "mechanism": "Plain"}}]}),
    ("spec.smarthosts[].auth", "which needs it", token(), auth(mechanism="XOAuth2")),
    ("spec.smarthosts[].auth.token", "name clientSecretKey", token(clientSecretKey="secret"),
     auth(mechanism="XOAuth2", token={"url": "https://login.test/token"})),
    ("spec.smarthosts[].limits.connectTimeout", "from 1s to 10m", smarthost(limits={"connectTimeout": "10m"}),
     smarthost(limits={"connectTimeout": "11m"})),
    ("spec.smarthosts[].limits.connectTimeout", "from 1s to 10m", smarthost(limits={"connectTimeout": "1s"}),
     smarthost(limits={"connectTimeout": "0s"})),
    ("spec.delivery.allowedPrivateNetworks", "host bits zero", delivery(allowedPrivateNetworks=["10.0.0.0/8"]),
     delivery(allowedPrivateNetworks=["10.0.0.1/8"])),
    ("spec.delivery.caRef", "either a configMap or a secret", delivery(caRef={"configMap": "ca"}), delivery(caRef={})),
    ("spec.delivery.destinations[]", "name domains or providers", destination(), destination(domains=[])),
    ("spec.delivery.destinations[]", "name domains or providers", delivery(destinations=[{"providers": ["big"]}]),
     delivery(destinations=[{}])),
    ("spec.delivery.destinations[].retry", "initialDelay <= maxDelay", destination(retry={"initialDelay": "1m", "maxDelay": "1m"}),
     destination(retry={"initialDelay": "2m", "maxDelay": "1m"})),
    ("spec.delivery.destinations[].retry", "maxDelay <= maxAge", destination(retry={"maxDelay": "1h", "maxAge": "1h"}),
     destination(retry={"maxDelay": "2h", "maxAge": "1h"})),
    ("spec.delivery.destinations[].retry.initialDelay", "from 1s to 24h", destination(retry={"initialDelay": "24h"}),
     destination(retry={"initialDelay": "25h"})),
    ("spec.delivery.destinations[].retry.maxDelay", "from 1s to 24h", destination(retry={"maxDelay": "1s"}),
     destination(retry={"maxDelay": "0s"})),
    ("spec.delivery.destinations[].retry.maxAge", "from 1s to 720h", destination(retry={"maxAge": "720h"}),
     destination(retry={"maxAge": "721h"})),
    ("spec.delivery.destinations[].retry.warnAfter", "from 0s to 720h", destination(retry={"warnAfter": "0s"}),
     destination(retry={"warnAfter": "721h"})),
    ("spec.delivery.sources[].address", "must be an IP address", source(address="2001:db8::1"), source(address="mx.test")),
    ("spec", "mode Redirect needs redirectTo", {"mode": "Redirect", "redirectTo": "a@b.test"}, {"mode": "Redirect"}),
    ("spec", "mode Redirect needs redirectTo", {"redirectTo": "a@b.test"}, {"mode": "Redirect", "allowlist": {"recipients": ["a"]}}),
    ("spec", "mode Allowlist needs allowlist", {"mode": "Allowlist", "allowlist": {"recipients": ["qa.test"]}}, {"mode": "Allowlist"}),
    ("spec.policies[]", "reply is for action", policies({"action": "Reject", "reply": "550 5.7.1 No"}),
     policies({"action": "Hold", "reply": "550 5.7.1 No"})),
    ("spec.policies[]", "reply is for action", policies({"action": "Defer", "reply": "451 Later"}),
     policies({"action": "Defer", "reply": "550 No"})),
    ("spec.policies[]", "redirectTo goes with", policies({"action": "Redirect", "redirectTo": "a@b.test"}),
     policies({"action": "Redirect"})),
    ("spec.policies[]", "redirectTo goes with", policies({"action": "Accept"}), policies({"redirectTo": "a@b.test"})),
    ("spec.policies[]", "smarthost goes with", policies({"action": "Route", "smarthost": "a"}), policies({"action": "Route"})),
    ("spec.policies[]", "limit goes with", policies({"action": "Limit", "limit": {"rate": "100/1h"}}),
     policies({"action": "Limit"})),
    ("spec.policies[]", "field goes with", policies({"action": "RemoveHeader", "field": {"name": "X-A"}}),
     policies({"field": {"name": "X-A"}})),
    ("spec.policies[]", "field.value goes with", policies({"action": "AddHeader", "field": {"name": "X-A", "value": "b"}}),
     policies({"action": "AddHeader", "field": {"name": "X-A"}})),
    ("spec.policies[].field.name", "must not be Received", policies({"action": "RemoveHeader", "field": {"name": "X-Received"}}),
     policies({"action": "RemoveHeader", "field": {"name": "rEceived"}})),
    ("spec.policies[]", "newSender goes with", policies({"action": "RewriteSender", "newSender": "a@b.test"}),
     policies({"action": "RewriteSender"})),
    ("spec.policies[]", "newFrom goes with", policies({"action": "RewriteSender", "newSender": "a@b.test", "newFrom": True}),
     policies({"newFrom": False})),
    ("spec.policies[]", "priority goes with", policies({"action": "SetPriority", "priority": "Bulk"}),
     policies({"action": "SetPriority"})),
    ("spec.policies[]", "copyTo goes with", policies({"action": "Copy", "copyTo": "a@b.test"}), policies({"action": "Copy"})),
    ("spec.policies[].match", "users have logged in", match(authenticated=True, users=["app-*"]),
     match(authenticated=False, users=["app-*"])),
    ("spec.access.senderBindings[]", "needs users or clients", binding(users=["app"]), binding()),
    ("spec.access.senderBindings[].clients[]", "host bits zero", binding(clients=["10.0.0.0/8", "192.0.2.1"]),
     binding(clients=["10.0.0.1/8"])),
    ("spec.receive.milters[].connectTimeout", "from 1s to 10s", milter(connectTimeout="10s"), milter(connectTimeout="11s")),
    ("spec.receive.milters[].connectTimeout", "from 1s to 10s", milter(connectTimeout="1s"), milter(connectTimeout="0s")),
    ("spec.receive.milters[].commandTimeout", "from 1s to 1m", milter(commandTimeout="1m"), milter(commandTimeout="61s")),
    ("spec.receive.milters[].messageTimeout", "from 1s to 2m", milter(messageTimeout="2m"), milter(messageTimeout="121s")),
    ("spec.policies[].match.clients[]", "host bits zero", match(clients=["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]),
     match(clients=["10.0.0.1/8"])),
    ("spec.dkim[].expires", "from 1h to 720h", dkim({"expires": "1h"}), dkim({"expires": "59m"})),
    ("spec.bounces.maxReturned", "from 1Ki to 1Mi", {"bounces": {"maxReturned": "1Mi"}}, {"bounces": {"maxReturned": "2Mi"}}),
    ("spec.bounces.deadLetterMaxAge", "from 0s to 8760h", {"bounces": {"deadLetterMaxAge": "8760h"}},
     {"bounces": {"deadLetterMaxAge": "8761h"}}),
    ("spec.limits.maxMessageSize", "from 64Ki to 1Gi", {"limits": {"maxMessageSize": "1Gi"}}, {"limits": {"maxMessageSize": "2Gi"}}),
    ("spec.limits.sessionTimeout", "from 1s to 1h", {"limits": {"sessionTimeout": "1h"}}, {"limits": {"sessionTimeout": "61m"}}),
    ("spec.limits.sessionTimeout", "from 1s to 1h", {"limits": {"sessionTimeout": "1s"}}, {"limits": {"sessionTimeout": "0s"}}),
    ("spec.retry", "initialDelay <= maxDelay", {"retry": {"initialDelay": "1h", "maxDelay": "1h", "maxAge": "1h"}},
     {"retry": {"initialDelay": "2h"}}),
    ("spec.retry", "maxAge at most 720h", {"retry": {"maxAge": "720h"}}, {"retry": {"maxAge": "721h"}}),
    ("spec.retry.mxInitialDelay", "from 1s to 24h", {"retry": {"mxInitialDelay": "24h"}}, {"retry": {"mxInitialDelay": "25h"}}),
    ("spec.retry.warnAfter", "from 0s to 720h", {"retry": {"warnAfter": "0s"}}, {"retry": {"warnAfter": "721h"}}),
    ("spec.spool", "acceptMailLoss: true", spool(type="EmptyDir", acceptMailLoss=True), spool(type="EmptyDir")),
    ("spec.spool", "type can't change", spool(type="HostPath", maxSize="5Gi"), spool(type="EmptyDir", acceptMailLoss=True), {}),
    ("spec.spool", "claimName is for type PersistentVolumeClaim", spool(type="HostPath"), spool(claimName="spools")),
    ("spec.spool", "which needs it", spool(type="PersistentVolumeClaim", claimName="spools"), spool(type="PersistentVolumeClaim")),
    ("spec.spool.claimName", "claimName can't change", spool(type="PersistentVolumeClaim", claimName="spools", maxSize="5Gi"),
     spool(type="PersistentVolumeClaim", claimName="other"), spool(type="PersistentVolumeClaim", claimName="spools")),
    ("spec.spool.maxSize", "from 1Mi to 1Ti", spool(maxSize="1Ti"), spool(maxSize="1Ki")),
    ("spec.rollout.maxUnavailable", "a number of nodes from 1", {"rollout": {"maxUnavailable": 1000}}, {"rollout": {"maxUnavailable": 0}}),
    ("spec.rollout.maxUnavailable", "from 1% to 100%", {"rollout": {"maxUnavailable": "100%"}}, {"rollout": {"maxUnavailable": "0%"}}),
    ("spec.rollout.stallAfter", "from 1m to 24h", {"rollout": {"stallAfter": "24h"}}, {"rollout": {"stallAfter": "59s"}}),
    ("spec.podMetadata.labels", "keys are such as", pods(labels={"example.org/team": "mail"}), pods(labels={"example.org/": "mail"})),
    ("spec.podMetadata.labels", "choose other keys", pods(labels={"team": "mail"}), pods(labels={"app.kubernetes.io/name": "mine"})),
    ("spec.podMetadata.labels", "choose other keys", pods(labels={}), pods(labels={"controller-revision-hash": "1"})),
    ("spec.podMetadata.annotations", "keys are such as", pods(annotations={"a.b/c": "any text"}), pods(annotations={"a b": ""})),
    ("spec.podMetadata.annotations", "choose other keys", pods(annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}),
     pods(annotations={"smtp.buildinglink.com/drain": "now"})),
    ("spec.drain", "at most 10m", {"drain": {"lameDuck": "10m"}}, {"drain": {"lameDuck": "11m"}}),
    ("spec.drain", "at most 10m", {"drain": {"flushTimeout": "0s"}}, {"drain": {"flushTimeout": "11m"}}),
]

# What types, bounds, patterns and keys of lists are about, fields that they accept, fields that they refuse, and words of
# the refusal.
TYPES = [
    ("somebody is allowed", networks("10.0.0.0/8"), networks(), "at least 1 item"),
    ("networks are a set", networks("10.0.0.0/8", "11.0.0.0/8"), networks("10.0.0.0/8", "10.0.0.0/8"), "Duplicate"),
    ("smarthosts are few", {"smarthosts": many(16)}, {"smarthosts": many(17)}, "at most 16 items"),
    ("smarthosts have names of their own", {"smarthosts": many(2)}, {"smarthosts": [SMARTHOST, SMARTHOST]}, "Duplicate"),
    ("TLS modes are known", smarthost(tls={"mode": "None"}), smarthost(tls={"mode": "Sometimes"}), "Unsupported value"),
    ("TLS versions are known", smarthost(tls={"minVersion": "1.3"}), smarthost(tls={"minVersion": "1.1"}), "Unsupported value"),
    ("priorities have bounds", smarthost(priority=0), smarthost(priority=1001), "less than or equal to 1000"),
    ("weights have bounds", smarthost(weight=1000), smarthost(weight=0), "greater than or equal to 1"),
    ("TLS modes for clients are known", tls(mode="None"), tls(mode="Implicit"), "Unsupported value"),
    ("TLS versions for clients are known", tls(minVersion="1.3"), tls(minVersion="1.1"), "Unsupported value"),
    ("listeners have names of their own", listeners({}, {}), listeners({"name": "a"}, {"name": "a"}), "Duplicate"),
    ("listeners have names that ports may have", listeners({"name": "submissions"}), listeners({"name": "submissions1"}), "Too long"),
    ("listeners have names without two hyphens", listeners({"name": "a-b-1"}), listeners({"name": "a--b"}), "should match"),
    ("listeners are few", listeners(*({} for _ in range(8))), listeners(*({} for _ in range(9))), "at most 8 items"),
    ("listeners have a port", listeners({"port": 65535}), listeners({"port": 65536}), "less than or equal to 65535"),
    ("TLS of listeners is known", listeners({"tls": "None"}), listeners({"tls": "Opportunistic"}), "Unsupported value"),
    ("logins of listeners are known", listeners({"auth": "Optional"}), listeners({"auth": "None"}), "Unsupported value"),
    ("users are somewhere", users(requireTls=False), {"auth": {"requireTls": False}}, "Required value"),
    ("users have a key that is one", {"auth": {"secretRef": {"name": "a", "key": "people"}, "requireTls": False}},
     {"auth": {"secretRef": {"name": "a", "key": "a/b"}, "requireTls": False}}, "should match"),
    ("users need TLS or not", users(requireTls=False), users(requireTls="no"), "Invalid value"),
    ("certificates for clients are somewhere", tls(secretRef={"name": "smtp-tls"}), tls(secretRef={}), "Required value"),
    ("domains are domains", smarthost(recipientDomains=["a.test", "*.a.test", "*"]), smarthost(recipientDomains=["a,b"]),
     "should match"),
    ("sender domains are domains", smarthost(senderDomains=["*.a.test"]), smarthost(senderDomains=["me@a.test"]), "should match"),
    ("server names are names", smarthost(tls={"serverName": "mx.test"}), smarthost(tls={"serverName": "a b"}), "should match"),
    ("mechanisms are known", auth(mechanism="ScramSha256"), auth(mechanism="CramMd5"), "Unsupported value"),
    ("a token comes by https", token(), token(url="http://login.test/token"), "should match"),
    ("rates are rates", smarthost(limits={"messageRate": "100/1m30s"}), smarthost(limits={"messageRate": "100/"}), "should match"),
    ("MX TLS is known", delivery(mxTls="Required"), delivery(mxTls="Implicit"), "Unsupported value"),
    ("trust anchors are somewhere", delivery(trustAnchorsConfigMapRef={"name": "a"}), delivery(trustAnchorsConfigMapRef={}),
     "Required value"),
    ("destinations have a TLS that is known", destination(tls="Policy"), destination(tls="Implicit"), "Unsupported value"),
    ("providers have servers", delivery(providers=[{"name": "big", "mx": ["*.big.test"]}]),
     delivery(providers=[{"name": "big", "mx": []}]), "at least 1 item"),
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
    ("rules differ", policies({}, {}), policies({"name": "a"}, {"name": "a"}), "Duplicate"),
    ("rules are few", policies(*({} for _ in range(128))), policies(*({} for _ in range(129))), "at most 128 items"),
    ("rules have names", policies({"name": "a-1"}), policies({"name": "a b"}), "should match"),
    ("rules do something that is known", policies({"action": "Discard"}), policies({"action": "Deliver"}), "Unsupported value"),
    ("patterns are single", match(senders=["*@a.test", "<>"]), match(senders=["a.test,b.test"]), "should match"),
    ("patterns have no blanks", match(recipients=["a?@b.test"]), match(recipients=["a b"]), "should match"),
    ("sizes of rules are sizes", match(largerThan="10Mi"), match(largerThan="big"), "should match"),
    ("headers of rules have names", match(header={"name": "Subject", "value": "*a, b*"}), match(header={"value": "a"}),
     "Required value"),
    ("replies of rules are refusals", policies({"action": "Reject", "reply": "554 5.6.0 No"}),
     policies({"action": "Reject", "reply": "521 No"}), "should match"),
    ("rules redirect to an address", policies({"action": "Redirect", "redirectTo": "a@b.test"}),
     policies({"action": "Redirect", "redirectTo": "b.test"}), "should match"),
    ("limits are rates", policies({"action": "Limit", "limit": {"rate": "1/720h"}}),
     policies({"action": "Limit", "limit": {"rate": "1/721h"}}), "should match"),
    ("limits count for somebody", policies({"action": "Limit", "limit": {"rate": "1/1s", "key": "SenderDomain"}}),
     policies({"action": "Limit", "limit": {"rate": "1/1s", "key": "Helo"}}), "Unsupported value"),
    ("limits count something", policies({"action": "Limit", "limit": {"rate": "1/1s", "unit": "Recipients"}}),
     policies({"action": "Limit", "limit": {"rate": "1/1s", "unit": "Octets"}}), "Unsupported value"),
    ("fields of rules are one line", policies({"action": "AddHeader", "field": {"name": "X-A", "value": "a: b"}}),
     policies({"action": "AddHeader", "field": {"name": "X-A", "value": "a\r\nBcc: b"}}), "should match"),
    ("priorities are known", policies({"action": "SetPriority", "priority": "Normal"}),
     policies({"action": "SetPriority", "priority": "High"}), "Unsupported value"),
    ("new senders are addresses", policies({"action": "RewriteSender", "newSender": "a@b.test"}),
     policies({"action": "RewriteSender", "newSender": "<>x"}), "should match"),
    ("copies go to an address", policies({"action": "Copy", "copyTo": "a@b.test"}),
     policies({"action": "Copy", "copyTo": "b.test"}), "should match"),
    ("bindings name senders", binding(users=["a"], senders=["*@a.test"]), binding(users=["a"], senders=[]), "at least 1 items"),
    ("modes are known", {"mode": "Capture"}, {"mode": "Hold"}, "Unsupported value"),
    ("all mail goes to an address", {"redirectTo": "a@b.test"}, {"redirectTo": "b.test"}, "should match"),
    ("an allowlist names somebody", {"allowlist": {"recipients": ["*.qa.test"]}}, {"allowlist": {"recipients": []}},
     "at least 1 item"),
    ("allowed recipients are single patterns", {"allowlist": {"recipients": ["a?@b.test"], "others": "Reject"}},
     {"allowlist": {"recipients": ["a.test,b.test"]}}, "should match"),
    ("filters have a port", milter(), {"receive": {"milters": [{"name": "filter", "host": "rspamd"}]}}, "Required value"),
    ("failures of filters are known", milter(onFailure="Accept"), milter(onFailure="Skip"), "Unsupported value"),
    ("filters are few", {"receive": {"milters": [{**milter()["receive"]["milters"][0], "name": f"f{i}"} for i in range(4)]}},
     {"receive": {"milters": [{**milter()["receive"]["milters"][0], "name": f"f{i}"} for i in range(5)]}}, "at most 4 items"),
    ("missing domains are names", {"receive": {"mending": {"unqualifiedDomain": "corp.test"}}},
     {"receive": {"mending": {"unqualifiedDomain": "corp test"}}}, "should match"),
    ("reports come from an address", {"bounces": {"from": "postmaster@a.test"}}, {"bounces": {"from": "postmaster"}},
     "should match"),
    ("reports come from an address alone", {"bounces": {"from": "mail.o'hara+x@a.test"}},
     {"bounces": {"from": "Mail <postmaster@a.test>"}}, "should match"),
    ("reports come from an address with a domain's name", {"bounces": {"from": "a@localhost"}},
     {"bounces": {"from": "a@[192.0.2.1]"}}, "should match"),
    ("reports come from an ASCII address", {"bounces": {"from": "a" * 64 + "@a.test"}},
     {"bounces": {"from": "grün@a.test"}}, "should match"),
    ("reports have a rate", {"bounces": {"ratePerSender": "1/1s"}}, {"bounces": {"ratePerSender": "0/1h"}}, "should match"),
    ("TLS reports come from an address", {"tlsReports": {"from": "tls@a.test"}}, {"tlsReports": {"from": "a,b@a.test"}},
     "should match"),
    ("redaction keys are somewhere", {"logging": {"redactAddresses": True, "keySecretRef": {"name": "a"}}},
     {"logging": {"keySecretRef": {"key": "a"}}}, "Required value"),
    ("keys of Secrets are such", {"logging": {"keySecretRef": {"name": "a", "key": "a.b"}}},
     {"logging": {"keySecretRef": {"name": "a", "key": "../b"}}}, "should match"),
    ("ports are ports", {"network": {"port": 65535}}, {"network": {"port": 65536}}, "less than or equal to 65535"),
    ("retry times are durations", {"retry": {"initialDelay": "1m30s"}}, {"retry": {"initialDelay": "soon"}}, "should match"),
    ("message sizes are sizes", {"limits": {"maxMessageSize": "26214400"}}, {"limits": {"maxMessageSize": "big"}}, "should match"),
    ("recipients have bounds", {"limits": {"maxRecipients": 100}}, {"limits": {"maxRecipients": 99}}, "greater than or equal to 100"),
    ("connections have bounds", {"limits": {"maxConnections": 100000}}, {"limits": {"maxConnections": 100001}},
     "less than or equal to 100000"),
    ("connections of a client have bounds", {"limits": {"maxConnectionsPerClient": 1}},
     {"limits": {"maxConnectionsPerClient": 0}}, "greater than or equal to 1"),
    ("waits grow", {"retry": {"multiplier": 1.5}}, {"retry": {"multiplier": 0.5}}, "greater than or equal to 1"),
    ("waits grow by a number", {"retry": {"multiplier": 10}}, {"retry": {"multiplier": "2"}}, "must be of type number"),
    ("flush times are durations", {"drain": {"flushTimeout": "1m30s"}}, {"drain": {"flushTimeout": "long"}}, "should match"),
    ("faults of health are known", {"health": {"failOn": ["SmarthostDown", "CredentialsRefused"]}},
     {"health": {"failOn": ["Rain"]}}, "Unsupported value"),
    ("faults of health are a set", {"health": {"failOn": ["SmarthostDown"]}},
     {"health": {"failOn": ["SmarthostDown", "SmarthostDown"]}}, "Duplicate"),
    ("levels of the log are known", {"logging": {"level": "debug"}}, {"logging": {"level": "Info"}}, "Unsupported value"),
    ("names of relays are names of hosts", {"helo": {"from": "Static", "name": "mail-1.a.test"}},
     {"helo": {"from": "Static", "name": "mail..a.test"}}, "should match"),
    ("suffixes have no dot before them", {"helo": {"domainSuffix": "a.test"}}, {"helo": {"domainSuffix": ".a.test"}}, "should match"),
    ("labels have values", pods(labels={"team": "mail-1"}), pods(labels={"team": "mail 1"}), "should match"),
    ("pods are ready in time", {"rollout": {"minReadySeconds": 0}}, {"rollout": {"minReadySeconds": 3601}},
     "less than or equal to 3600"),
    ("states are known", {"managementState": "Paused"}, {"managementState": "Unmanaged"}, "Unsupported value"),
    ("modes are known", {"network": {"mode": "ClusterOnly"}}, {"network": {"mode": "HostNetwork"}}, "Unsupported value"),
    ("wishes are known", {"metrics": {"podMonitor": "Always", "rules": "Never", "dashboard": "Auto"}},
     {"metrics": {"podMonitor": "Sometimes"}}, "Unsupported value"),
    ("network policies are known", {"networkPolicy": "Managed"}, {"networkPolicy": "Strict"}, "Unsupported value"),
    ("Services are known", {"network": {"service": {"type": "None"}}}, {"network": {"service": {"type": "NodePort"}}},
     "Unsupported value"),
    ("environments are few", {"envFrom": [{"configMapRef": {"name": str(i)}} for i in range(4)]},
     {"envFrom": [{"configMapRef": {"name": str(i)}} for i in range(5)]}, "at most 4 items"),
]


def body_of(fields):
    return relay(fields) if isinstance(fields, str) else relay(**fields)


def rules_of(schema, path=""):
    """Place and message of each rule in a schema; entries of lists as [], of maps as {}."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule["message"]
    for name, inner in schema.get("properties", {}).items():
        yield from rules_of(inner, f"{path}.{name}".lstrip("."))
    for part, brackets in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(part), dict):
            yield from rules_of(schema[part], path + brackets)


@pytest.fixture
def rules(plane):
    definition = plane.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/smtprelays.smtp.buildinglink.com")
    return list(rules_of(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))


def test_every_rule_has_its_examples_and_every_example_its_rule(rules):
    assert len(rules) > 30
    assert sorted(set(rules)) == sorted(rules), "a message tells the rules of one place apart"
    exemplified = [[rule for rule in rules if rule[0] == row[0] and row[1] in rule[1]] for row in RULES]
    assert [row[:2] for row, found in zip(RULES, exemplified) if len(found) != 1] == [], "one rule for each example"
    assert [rule for rule in rules if [rule] not in exemplified] == [], "rules without an example"


@pytest.mark.parametrize("row", RULES, ids=[f"{row[0] or 'metadata.name'}-{row[1]}" for row in RULES])
def test_a_rule_accepts_one_and_refuses_another_in_its_own_words(mail, rules, row):
    place, words, good, bad = row[:4]
    message = next(rule[1] for rule in rules if rule[0] == place and words in rule[1])
    if len(row) == 5:
        before = mail.api.create(RELAYS, body_of(row[4]))["metadata"]

        def send(fields):
            body = body_of(fields)
            body["metadata"]["resourceVersion"] = before["resourceVersion"]
            mail.api.request("PUT", f"{RELAYS}/edge?dryRun=All", body)
    else:
        def send(fields):
            mail.api.create(RELAYS + "?dryRun=All", body_of(fields))

    send(good)
    with pytest.raises(ApiError) as refused:
        send(bad)
    assert refused.value.code == 422
    assert [cause for cause in refused.value.causes if message not in cause["message"]] == [], "nothing else is wrong"
    assert [re.sub(r"\[[0-9]+\]", "[]", cause["field"]) for cause in refused.value.causes] == [place or "<nil>"]


@pytest.mark.parametrize("good, bad, words", [row[1:] for row in TYPES], ids=[row[0] for row in TYPES])
def test_a_type_accepts_and_refuses(mail, good, bad, words):
    mail.api.create(RELAYS + "?dryRun=All", relay(**good))
    with pytest.raises(ApiError) as refused:
        mail.api.create(RELAYS + "?dryRun=All", relay(**bad))
    assert refused.value.code == 422
    assert words in refused.value.message


def test_defaults_are_filled_in(mail):
    spec = mail.apply()["spec"]
    assert spec["network"] == {"mode": "HostPort", "port": 25, "listeners": [], "proxyProtocol": {"trustedNetworks": []},
                               "service": {"type": "ClusterIP", "internalTrafficPolicy": "Local"}}
    assert spec["managementState"] == "Managed"
    assert spec["mode"] == "Deliver"
    assert spec["access"] == {"allowedNetworks": MINIMAL["access"]["allowedNetworks"], "hiddenSources": [], "senderBindings": []}
    assert spec["receive"] == {"milters": [], "mending": {
        "addMissingDate": False, "addMissingMessageId": False, "addMissingFrom": False, "hideClientAddress": False}}
    assert spec["tls"] == {"mode": "Opportunistic", "minVersion": "1.2"}
    assert spec["smarthosts"][0] == {
        "name": "primary", "host": "smtp.test", "port": 587, "priority": 10, "weight": 1, "recipientDomains": [],
        "senderDomains": [], "tls": {"mode": "Required", "minVersion": "1.2"},
        "limits": {"maxConnections": 20, "messagesPerConnection": 100, "connectTimeout": "30s"}}
    assert spec["delivery"] == {
        "mxTls": "Policy", "maxConnectionsPerDomain": 20, "allowedPrivateNetworks": [], "destinations": [], "providers": [],
        "sources": [], "bulkSenders": [], "bulkHeaders": ["Precedence: bulk", "Precedence: list"], "maxConnections": 2000,
        "maxMessages": 5000}
    assert spec["bounces"] == {"maxReturned": "50k", "ratePerSender": "100/1h", "deadLetterMaxAge": "168h"}
    assert (spec["dkim"], spec["tlsReports"]) == ([], {})
    assert spec["logging"] == {"level": "info", "redactAddresses": False}
    assert spec["spool"] == {"type": "HostPath", "onDelete": "Retain", "maxSize": "10Gi", "minFreePercent": 10}
    assert spec["retry"] == {"initialDelay": "1m", "multiplier": 2, "maxDelay": "1h", "maxAge": "120h",
                             "mxInitialDelay": "30m", "warnAfter": "4h"}
    assert spec["drain"] == {"lameDuck": "20s", "sessionTimeout": "30s", "flushTimeout": "60s", "cordonAware": True}
    assert spec["resources"] == {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    assert spec["health"] == {"hostPort": 8025, "failOn": []}
    assert spec["metrics"] == {"podMonitor": "Auto", "rules": "Auto", "dashboard": "Auto"}
    assert spec["networkPolicy"] == "None"
    assert spec["rollout"] == {"maxUnavailable": 1, "minReadySeconds": 10, "stallAfter": "10m"}
    assert spec["podMetadata"] == {"labels": {}, "annotations": {}}
    assert spec["helo"] == {"from": "NodeName"}
    assert spec["limits"] == {"maxMessageSize": "25Mi", "maxRecipients": 1000, "maxConnections": 500,
                              "maxConnectionsPerClient": 50, "sessionTimeout": "5m"}


def test_defaults_of_what_is_named_are_filled_in(mail):
    spec = mail.apply(**{
        **auth(), **dkim({}), **listeners({}), **tls(secretRef={"name": "smtp-tls"}), **users(), "logging": {"keySecretRef": {"name": "redaction"}},
        "delivery": {"providers": [{"name": "big", "mx": ["*.big.test"]}], "sources": [{"name": "a", "address": "192.0.2.1"}],
                     "destinations": [{"domains": ["a.test"]}]}})["spec"]
    assert spec["smarthosts"][0]["auth"] == {
        "mechanism": "Any", "secretRef": {"name": "credentials", "usernameKey": "username", "passwordKey": "password"}}
    assert spec["tls"] == {"mode": "Opportunistic", "minVersion": "1.2", "secretRef": {"name": "smtp-tls"}}
    assert spec["auth"] == {"secretRef": {"name": "smtp-users", "key": "users"}, "requireTls": True}
    assert spec["network"]["listeners"] == [
        {"name": "l0", "port": 3000, "tls": "Optional", "auth": "Optional", "allowedNetworks": [], "proxyProtocol": True}]
    assert spec["dkim"] == [{"domain": "a.test", "selector": "s1", "secretRef": {"name": "dkim", "key": "private.key"},
                             "senders": [], "headers": [], "canonicalization": "relaxed/relaxed"}]
    assert spec["logging"]["keySecretRef"] == {"name": "redaction", "key": "key"}
    assert spec["delivery"]["providers"] == [{"name": "big", "mx": ["*.big.test"], "maxConnections": 100}]
    assert spec["delivery"]["sources"] == [{"name": "a", "address": "192.0.2.1", "pool": "default", "weight": 1}]
    assert spec["delivery"]["destinations"] == [{"domains": ["a.test"], "providers": []}]


def test_no_smarthost_is_needed(mail):
    assert mail.apply(smarthosts=[])["spec"]["smarthosts"] == []


@pytest.mark.parametrize("name", ["minimal", "full", "empty-dir", "mx", "claim"])
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
    columns = ["NAME", "READY", "DESIRED", "READY-NODES", "UPDATED", "PORT", "MODE", "REASON", "AGE"]
    assert plane.kubectl("get", "smr", "-n", "mail").splitlines()[0].split() == columns
    wide = plane.kubectl("get", "smtp", "-n", "mail", "-o", "wide")
    assert wide.splitlines()[0].split() == [*columns, "SMARTHOST", "IMAGE", "MESSAGE"]
    assert "smtp.test" in wide
