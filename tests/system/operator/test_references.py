"""Secrets and ConfigMaps that are missing or wrong, and settings that the relay would refuse."""

import json
import subprocess

from processes import MEMORY
from waiting import stays_true, wait_until
from world import CHILDREN, CORE

SECRET = {"passwdClientSecretRef": {"name": "credentials"}}
PASSWORD = "open-sesame-27"


def certificate():
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-subj", "/CN=test", "-keyout", "/dev/null"], capture_output=True, text=True, check=True)
    return made.stdout


def pair():
    """A certificate of its own and its key, under the names of a Secret of the type kubernetes.io/tls."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-subj", "/CN=test", "-keyout", "/dev/stdout"], capture_output=True, text=True, check=True).stdout
    return {"tls.crt": made, "tls.key": made}


def signing_key(bits):
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"],
                          capture_output=True, text=True, check=True)
    return made.stdout


def test_a_missing_secret_is_named_and_waited_for(mail):
    mail.operator()
    mail.apply(**SECRET)
    message = mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    assert "Secret mail/credentials does not exist" in message
    assert mail.condition("Ready")[:2] == ("False", "Blocked")
    assert not any(mail.child(kind) for kind in CHILDREN)
    mail.secret("credentials", **{"passwd.client": f"smtp.test:user:{PASSWORD}"})
    mail.wait_for_children()
    mail.wait_for_condition("SecretsResolved", "True", "Resolved")


def test_a_secret_with_another_key_says_which_it_has(mail):
    mail.secret("credentials", password=PASSWORD)
    mail.operator()
    mail.apply(**SECRET)
    message = mail.wait_for_condition("SecretsResolved", "False", "SecretKeyMissing")
    assert "no key 'passwd.client'; its keys: password" in message
    mail.api.patch(f"{CORE}/secrets/credentials", {"stringData": {"passwd.client": "a:b:c"}})
    mail.wait_for_children()


def test_a_secret_that_vanishes_later_stops_nothing(mail):
    mail.secret("credentials", **{"passwd.client": f"smtp.test:user:{PASSWORD}"})
    mail.operator()
    mail.apply(**SECRET)
    mail.wait_for_children()
    before = mail.child("DaemonSet")["metadata"]["resourceVersion"]
    mail.api.delete(f"{CORE}/secrets/credentials")
    mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    assert mail.child("DaemonSet")["metadata"]["resourceVersion"] == before


def test_an_authority_must_be_certificates(mail):
    mail.config_map("authorities", **{"ca.crt": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"})
    mail.operator()
    mail.apply(smarthosts=[{"name": "primary", "host": "smtp.test", "tls": {"caRef": {"configMap": "authorities"}}}])
    mail.wait_for_condition("SecretsResolved", "False", "InvalidCertificate")
    mail.api.patch(f"{CORE}/configmaps/authorities", {"data": {"ca.crt": certificate()}})
    mail.wait_for_children()


def test_the_certificate_for_clients_must_be_one_with_its_key_and_is_mounted_where_the_settings_say(mail):
    mail.operator()
    mail.apply(tls={"mode": "Required", "secretRef": {"name": "smtp-tls"}})
    message = mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    assert "Secret mail/smtp-tls does not exist" in message
    right, other = pair(), pair()
    mail.secret("smtp-tls", "kubernetes.io/tls", **{**right, "tls.crt": "nonsense"})
    message = mail.wait_for_condition("SecretsResolved", "False", "InvalidCertificate")
    assert "spec.tls.secretRef: key 'tls.crt' of Secret mail/smtp-tls" in message
    mail.api.patch(f"{CORE}/secrets/smtp-tls", {"stringData": {**right, "tls.key": other["tls.key"]}})
    message = mail.wait_for_condition("SecretsResolved", "False", "InvalidKey")
    assert "spec.tls.secretRef: key 'tls.key' of Secret mail/smtp-tls is not the private key" in message
    assert not any(mail.child(kind) for kind in CHILDREN)
    mail.api.patch(f"{CORE}/secrets/smtp-tls", {"stringData": right})
    mail.wait_for_children()
    mail.wait_for_condition("SecretsResolved", "True", "Resolved")
    folder = "/etc/smtp-relay/refs/secret-smtp-tls"
    settings = json.loads(mail.settings())
    assert settings["tls_mode"] == "required"
    assert (settings["tls_certificate_file"], settings["tls_key_file"]) == (f"{folder}/tls.crt", f"{folder}/tls.key")
    pod = mail.child("DaemonSet")["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = volumes[mounts[folder]]["secret"]
    assert (mounted["secretName"], [item["key"] for item in mounted["items"]]) == ("smtp-tls", ["tls.crt", "tls.key"])


# As relayctl user writes it.
USER = ("app:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n")


def test_users_must_be_some_and_are_mounted_where_the_settings_say(mail):
    mail.operator()
    mail.apply(auth={"secretRef": {"name": "smtp-users"}, "requireTls": False})
    message = mail.wait_for_condition("SecretsResolved", "False", "SecretNotFound")
    assert "Secret mail/smtp-users does not exist" in message
    mail.secret("smtp-users", people=USER)
    message = mail.wait_for_condition("SecretsResolved", "False", "SecretKeyMissing")
    assert "Secret mail/smtp-users has no key 'users'" in message
    mail.api.patch(f"{CORE}/secrets/smtp-users", {"stringData": {"users": "app:in the clear\n"}})
    message = mail.wait_for_condition("SecretsResolved", "False", "InvalidUsers")
    assert "spec.auth.secretRef: key 'users' of Secret mail/smtp-users" in message and "in the clear" not in message
    assert not any(mail.child(kind) for kind in CHILDREN)
    mail.api.patch(f"{CORE}/secrets/smtp-users", {"stringData": {"users": USER}})
    mail.wait_for_children()
    mail.wait_for_condition("SecretsResolved", "True", "Resolved")
    folder = "/etc/smtp-relay/refs/secret-smtp-users"
    settings = json.loads(mail.settings())
    assert (settings["auth_users_file"], settings["auth_requires_tls"]) == (f"{folder}/users", "off")
    pod = mail.child("DaemonSet")["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    mounted = {volume["name"]: volume for volume in pod["volumes"]}[mounts[folder]]["secret"]
    assert (mounted["secretName"], [item["key"] for item in mounted["items"]]) == ("smtp-users", ["users"])
    before = pod
    mail.api.patch(f"{CORE}/secrets/smtp-users", {"stringData": {"users": USER + USER.replace("app", "other", 1)}})
    mail.wait_for_condition("SecretsResolved", "True", "Resolved")
    assert mail.child("DaemonSet")["spec"]["template"]["spec"] == before, "another user replaces no pod"


def test_a_signing_key_must_be_one_and_is_mounted_where_the_settings_say(mail):
    mail.secret("dkim", **{"private.key": signing_key(512)})
    mail.operator()
    mail.apply(dkim=[{"domain": "a.test", "selector": "s1", "secretRef": {"name": "dkim"}}])
    message = mail.wait_for_condition("SecretsResolved", "False", "InvalidKey")
    assert "spec.dkim[s1._domainkey.a.test].secretRef" in message
    assert not any(mail.child(kind) for kind in CHILDREN)
    mail.api.patch(f"{CORE}/secrets/dkim", {"stringData": {"private.key": signing_key(1024)}})
    mail.wait_for_children()
    pod = mail.child("DaemonSet")["spec"]["template"]["spec"]
    folder = "/etc/smtp-relay/refs/secret-dkim"
    assert f"{folder}/private.key" in mail.settings()
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts[folder]]["secret"]["secretName"] == "dkim"


def test_trust_anchors_replace_pods_when_they_change(mail):
    def template():
        return mail.child("DaemonSet")["spec"]["template"]

    mail.config_map("anchors", **{"corp.ds": "corp.test. IN DS 1 8 2 00"})
    mail.operator()
    mail.apply(delivery={"trustAnchorsConfigMapRef": {"name": "anchors"}})
    mail.wait_for_children()
    before = template()
    mail.api.patch(f"{CORE}/configmaps/anchors", {"data": {"corp.ds": "corp.test. IN DS 2 8 2 00"}})
    wait_until(lambda: template() != before, 5, "another content")
    mail.api.patch(f"{CORE}/configmaps/anchors", {"data": {"lab.ds": "lab.test. IN DS 1 8 2 00"}})
    wait_until(lambda: "/etc/smtp-relay/refs/configmap-anchors/lab.ds" in mail.settings(), 5, "another file")


def test_secrets_that_nobody_names_are_never_read(mail):
    for number in range(20):
        mail.secret(f"other-{number}", blob="x" * 200_000)
    mail.secret("credentials", **{"passwd.client": "smtp.test:user:x"})
    operator = mail.operator()
    mail.apply(**SECRET)
    mail.wait_for_children()
    before = operator.metric("process_resident_memory_bytes")
    reads = 'rest_client_requests_total{code="200",host="127.0.0.1:%d",method="GET"}' % mail.plane.api_port
    count = operator.metric(reads)
    for number in range(20):
        mail.api.patch(f"{CORE}/secrets/other-{number}", {"stringData": {"blob": "y" * 200_000}})
    mail.api.patch(f"{CORE}/secrets/credentials", {"stringData": {"passwd.client": "smtp.test:user:z"}})
    version = mail.api.get(f"{CORE}/secrets/credentials")["metadata"]["resourceVersion"]
    wait_until(lambda: mail.relay()["status"]["observedSecrets"][0]["resourceVersion"] == version, 5, "the new version")
    assert operator.metric(reads) - count <= 1, "the one Secret that is named"
    assert operator.metric("process_resident_memory_bytes") - before < 4_000_000 * MEMORY


def test_an_invalid_environment_keeps_the_last_good_configuration(mail):
    mail.config_map("extra", SMTP_RELAY_LAME_DUCK="5s")
    mail.operator()
    mail.apply(envFrom=[{"configMapRef": {"name": "extra"}}])
    mail.wait_for_children()
    before = mail.versions()
    mail.api.patch(f"{CORE}/configmaps/extra", {"data": {"SMTP_RELAY_LAME_DUCK": "soon", "SMTP_RELAY_PORT": "25"}})
    message = mail.wait_for_condition("ConfigValid", "False", "InvalidSettings")
    assert "SMTP_RELAY_LAME_DUCK" in message and "SMTP_RELAY_PORT: unknown setting" in message
    after = mail.versions()
    assert all(after[path] == before[path] for path in CHILDREN.values())


def test_an_invalid_smarthost_keeps_the_last_good_configuration(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    before = mail.child("ConfigMap")["data"]
    mail.apply(smarthosts=[{"name": "primary", "host": "not a host"}])
    assert "spec.smarthosts[0].host" in mail.wait_for_condition("ConfigValid", "False", "InvalidSettings")
    stays_true(lambda: mail.child("ConfigMap")["data"] == before, 1, "the last good settings")
    mail.apply(smarthosts=[{"name": "primary", "host": "other.test"}])
    mail.wait_for_condition("ConfigValid", "True", "Accepted")
    wait_until(lambda: "other.test" in mail.settings(), 5, "the new settings")


def test_what_the_server_refuses_is_reported_and_not_tried_for_ever(mail):
    operator = mail.operator()
    mail.apply(resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "64Mi"}})
    message = mail.wait_for_condition("ConfigValid", "False", "RefusedByServer")
    assert "must be less than or equal to memory limit" in message
    errors = 'controller_runtime_reconcile_errors_total{controller="smtprelay"}'
    count = operator.metric(errors)
    stays_true(lambda: operator.metric(errors) <= count + 1, 3, "no hot loop")
    mail.apply(resources={"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}})
    mail.wait_for_children()


def test_what_the_server_refuses_changes_nothing_for_running_pods(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    before = mail.child("ConfigMap")["data"], mail.child("DaemonSet")["spec"]
    mail.apply(smarthosts=[{"name": "primary", "host": "other.test"}],
               resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "64Mi"}})
    mail.wait_for_condition("ConfigValid", "False", "RefusedByServer")
    stays_true(lambda: (mail.child("ConfigMap")["data"], mail.child("DaemonSet")["spec"]) == before, 2,
               "settings and template as before")
    mail.apply(smarthosts=[{"name": "primary", "host": "other.test"}])
    wait_until(lambda: "other.test" in mail.settings(), 5, "the new settings, once they are accepted")


def test_quantities_in_other_words_are_no_drift(mail):
    mail.operator()
    mail.apply(resources={"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}})
    mail.wait_for_children()
    wait_until(lambda: mail.child("DaemonSet") and len(mail.writes("operator-a")) > 0, 5, "the first writes")
    versions = mail.versions()
    mail.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {
        "observedGeneration": 1, "desiredNumberScheduled": 0, "currentNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0}})
    mail.wait_for_condition("Ready", "False", "NoNodes")
    assert mail.child("DaemonSet")["metadata"]["generation"] == 1
    assert mail.versions()[CHILDREN["ConfigMap"]] == versions[CHILDREN["ConfigMap"]]
