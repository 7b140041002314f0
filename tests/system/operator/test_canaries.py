"""Every Secret that a resource can name holds canaries, as it should be and damaged: they stand nowhere where the operator tells
what it does."""

import base64
import json
import re

import pytest
import yaml
from test_references import USER, certificate, pair, signing_key
from waiting import wait_until
from world import CORE, CRD, DAEMON_SETS, EVENTS, LEASES, NETWORK_POLICIES, RELAYS

WORD = "canary-of-"
# All that a reader of the namespace sees but Secrets.
PLACES = (RELAYS, DAEMON_SETS, EVENTS, LEASES, f"{CORE}/configmaps", f"{CORE}/serviceaccounts", f"{CORE}/services", f"{CORE}/pods",
          NETWORK_POLICIES)

BY_FILE = {"passwdClientSecretRef": {"name": "credentials"}}
BY_FIELD = {
    "imagePullSecrets": [{"name": "registry"}],
    "tls": {"mode": "Required", "secretRef": {"name": "smtp-tls"}},
    "auth": {"secretRef": {"name": "smtp-users"}},
    "smarthosts": [
        {"name": "primary", "host": "smtp.test", "auth": {"secretRef": {"name": "smarthost"}},
         "tls": {"clientCertificateSecretRef": {"name": "client"}, "caRef": {"secret": "authorities"}}},
        {"name": "office", "host": "office.test", "auth": {"mechanism": "XOAuth2", "secretRef": {"name": "office"}, "token": {
            "url": "https://login.test/token", "clientSecretKey": "client-secret", "refreshTokenKey": "refresh-token"}}}],
    "delivery": {"caRef": {"secret": "mx-authorities"}},
    "dkim": [{"domain": "a.test", "selector": "s1", "secretRef": {"name": "dkim"}}],
    "logging": {"redactAddresses": True, "keySecretRef": {"name": "redaction", "key": "key"}},
    "networkPolicy": "Managed",
}


NAMES_A_SECRET = re.compile(r"secretRef|\w+SecretRef|secret|imagePullSecrets")


def fields_of_schema(schema, path=()):
    """The paths of the fields that name a Secret."""
    schema = schema.get("items", schema)
    found = {path} if path and NAMES_A_SECRET.fullmatch(path[-1]) else set()
    return found.union(*(fields_of_schema(field, (*path, name)) for name, field in schema.get("properties", {}).items()))


def fields_of(value, path=()):
    found = {path} if path and NAMES_A_SECRET.fullmatch(path[-1]) else set()
    if isinstance(value, list):
        return found.union(*(fields_of(each, path) for each in value))
    return found.union(*(fields_of(each, (*path, name)) for name, each in value.items())) if isinstance(value, dict) else found


def test_each_field_that_names_a_secret_has_its_canary():
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    there = fields_of_schema(schema["properties"]["spec"])
    assert len(there) == 10 and there == fields_of(BY_FILE) | fields_of(BY_FIELD)


def damaged(pem):
    return pem.replace("-----END", "-----FIN")


def secrets():
    """{name: (type, what is in it, how it is changed, what the operator says of that)}; no reason: relays alone judge it."""
    registry = json.dumps({"auths": {"registry.test": {"username": "u", "password": WORD + "registry"}}})
    server, client = pair(), pair()
    key, authorities, hosts = signing_key(1024), certificate(), certificate()
    token = {"username": WORD + "token-user", "client-id": WORD + "client-id", "client-secret": WORD + "client-secret",
             "refresh-token": WORD + "refresh-token"}
    return {
        "credentials": ("Opaque", {"passwd.client": f"smtp.test:{WORD}user:{WORD}password\n"},
                        {"passwd.client": f"{WORD}a-line-without-a-colon\n"}, None),
        "registry": ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": registry},
                     {".dockerconfigjson": json.dumps({WORD: registry})}, None),
        "smarthost": ("Opaque", {"username": WORD + "smarthost-user", "password": WORD + "smarthost-password"},
                      {"password": None, "other": WORD + "smarthost-password"}, "SecretKeyMissing"),
        "office": ("Opaque", token, {"client-secret": None, "other": WORD + "client-secret"}, "SecretKeyMissing"),
        "redaction": ("Opaque", {"key": WORD + "the-redaction-key"}, {"key": WORD + "short"}, "InvalidKey"),
        "smtp-users": ("Opaque", {"users": USER}, {"users": f"app:{WORD}in-the-clear\n"}, "InvalidUsers"),
        "smtp-tls": ("kubernetes.io/tls", server, {"tls.key": damaged(server["tls.key"])}, "InvalidKey"),
        "client": ("kubernetes.io/tls", client, {"tls.crt": damaged(client["tls.crt"])}, "InvalidCertificate"),
        "dkim": ("Opaque", {"private.key": key}, {"private.key": damaged(key)}, "InvalidKey"),
        "authorities": ("Opaque", {"ca.crt": authorities}, {"ca.crt": damaged(authorities)}, "InvalidCertificate"),
        "mx-authorities": ("Opaque", {"ca.crt": hosts}, {"ca.crt": damaged(hosts)}, "InvalidCertificate"),
    }


def canaries_of(entries):
    """What gives an entry away: its words, the lines of a PEM file, a user's keys; and the entry as the API server has it."""
    found = set()
    for value in entries.values():
        if value is not None:
            found |= {piece for piece in re.split(r"[\s:$]+", value) if len(piece) >= 20}
            # Of the last three octets the end depends on what follows.
            found.add(base64.b64encode(value.encode()).decode()[:64].rstrip("=")[:-4])
    return found


class Search:
    def __init__(self, mail, operator, canaries):
        self.mail, self.operator, self.canaries = mail, operator, canaries | {WORD}

    def within(self, text):
        return sorted(canary for canary in self.canaries if canary in text)

    def nothing_is_found(self, when):
        listed = {path: json.dumps(self.mail.api.get(path)) for path in PLACES}
        listed["log"] = self.operator.log.read_text()
        listed["metrics"] = self.operator.http(self.operator.metrics_port, "/metrics")[1]
        listed["requests"] = json.dumps(self.mail.writes(told=True))
        for place, text in listed.items():
            assert not self.within(text), f"{place}, {when}"


def is_seen(mail, name, version):
    return {"name": name, "resourceVersion": version} in mail.relay()["status"].get("observedSecrets", [])


@pytest.mark.parametrize("spec, names", [
    (BY_FILE, {"credentials"}),
    (BY_FIELD, {"registry", "smarthost", "office", "redaction", "smtp-users", "smtp-tls", "client", "dkim", "authorities",
                "mx-authorities"}),
], ids=["one-file", "each-field"])
def test_no_secret_reaches_log_status_or_children(mail, spec, names):
    held = {name: secret for name, secret in secrets().items() if name in names}
    canaries = set().union(*(canaries_of(good) | canaries_of(bad) for _, good, bad, _ in held.values()))
    for name, (kind, good, _, _) in held.items():
        mail.secret(name, kind, **good)
    operator = mail.operator("operator-a", "--debug")
    mail.apply(**spec)
    mail.wait_for_children()
    mail.wait_for_condition("SecretsResolved", "True", "Resolved")
    search = Search(mail, operator, canaries)
    there = set(search.within(json.dumps([secret["stringData"] for secret in map(stringly, mail.api.get(f"{CORE}/secrets")["items"])])))
    assert all(canaries_of(good) & there for _, good, _, _ in held.values()), "a search finds what is there"
    search.nothing_is_found("as it should be")

    for name, (_, good, bad, reason) in held.items():
        path = f"{CORE}/secrets/{name}"
        changed = mail.api.patch(path, {"data": {key: value and base64.b64encode(value.encode()).decode()
                                                 for key, value in bad.items()}})
        if reason:
            message = mail.wait_for_condition("SecretsResolved", "False", reason)
            assert name in message
        elif name != "registry":  # nodes alone read it
            version = changed["metadata"]["resourceVersion"]
            wait_until(lambda: is_seen(mail, name, version), 10, f"{name} is seen")
        search.nothing_is_found(f"with {name} damaged")
        mail.api.patch(path, {"stringData": good})
        mail.wait_for_condition("SecretsResolved", "True", "Resolved")
    search.nothing_is_found("mended")


def stringly(secret):
    """A Secret with its values as text, and as the API server has them."""
    return {"stringData": [base64.b64decode(value).decode() for value in secret["data"].values()] + list(secret["data"].values())}
