"""An upgrade of the operator restarts no relay and changes nothing that relays read, and one can go back."""

import json
import re
import subprocess

import previous
import pytest
import yaml
from control_plane import ROOT
from processes import PROGRAM, Operator
from relay import BIN
from test_references import certificate, signing_key
from waiting import stays_true, wait_until
from world import CORE, CRD, DAEMON_SETS, NAMESPACE, RELAYS

PREVIOUS = previous.BIN / "smtp-relay-operator"
VERSIONS = pytest.mark.parametrize("program", [PREVIOUS, PROGRAM], ids=["previous", "present"])
GOLDEN = "tests/golden/*.smtprelay.yaml"
# Replaced as they improve: no pod notices (docs/decisions/0065-an-upgrade-changes-no-pod.md).
IMPROVING = re.compile(r"-dashboard\b|/(podmonitors|servicemonitors|prometheusrules|networkpolicies)/")
LOOKED = [f'controller_runtime_reconcile_total{{controller="smtprelay",result="{result}"}}' for result in ("success", "requeue_after")]


@pytest.fixture(autouse=True)
def built():
    previous.check_built()


@pytest.fixture
def definition(plane):
    """Puts a definition into the server; in the end there is the present one again."""
    def put(path):
        plane.kubectl("apply", "--server-side", "-f", path)
    yield put
    put(CRD)


@pytest.fixture
def estate(mail):
    """Each golden resource of the previous version, all at once, by file name; the minimal one, as `edge`, may have a pod."""
    definitions = sorted(previous.TREE.glob(GOLDEN))
    assert definitions, "the previous version has golden resources"
    make_references(mail)
    mail.names = []
    for number, path in enumerate(definitions):
        name = path.name.split(".")[0].replace("minimal", "edge")
        spec = yaml.safe_load(path.read_text())["spec"]
        # They are of one port, and here they meet.
        spec.setdefault("network", {})["port"] = 2600 + number
        spec["health"] = {"hostPort": 8100 + number}
        mail.api.create(RELAYS, {"apiVersion": "smtp.buildinglink.com/v1alpha1", "kind": "SmtpRelay",
                                 "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec})
        mail.names.append(name)
    return mail


def make_references(mail):
    """What the golden resources name."""
    pem, rsa = certificate(), signing_key(1024)
    ed25519 = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, text=True, check=True).stdout
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-subj", "/CN=client", "-keyout", "/dev/stdout"], capture_output=True, text=True, check=True).stdout
    for name in ("client", "smtp-tls"):
        mail.secret(name, "kubernetes.io/tls", **{"tls.crt": made, "tls.key": made})
    mail.secret("credentials", user="user", **{"pass": "x", "exim": "smtp.test:user:x"})
    mail.secret("office", username="user", id="id", secret="x", refresh="x")
    mail.secret("mx.authorities", **{"mx.pem": pem})
    mail.secret("dkim-example-org", **{"rsa.pem": rsa, "ed25519.pem": ed25519})
    mail.secret("dkim-example-com", **{"private.key": rsa})
    mail.secret("redaction", **{"log.key": "0123456789abcdef0123456789abcdef"})
    mail.config_map("authorities", **{"smarthost.pem": pem})
    mail.config_map("anchors", **{"corp.ds": "corp.test. IN DS 1 8 2 " + "00" * 32})
    mail.config_map("first", SMTP_RELAY_SHARDS="2")
    mail.config_map("second", SMTP_RELAY_DURABILITY="relaxed")


def run(mail, program, name):
    """An operator of a version, beside those that run, as the Deployment starts one."""
    operator = Operator(name, mail.plane.kubeconfig("operator-a"), mail.folder, program=program)
    mail.operators.append(operator)
    return operator.start()


def wait_until_it_has_looked(mail, operator):
    """It leads, and no relay waits for it."""
    wait_until(operator.is_leading, 20, "it leads")
    wait_until(lambda: sum(map(operator.metric, LOOKED)) >= len(mail.names), 20, "it has looked at all of them")


def wait_until_made(mail):
    def made():
        for name in mail.names:
            found = mail.relay(name)
            assert found["status"].get("observedGeneration") == found["metadata"]["generation"], name
            for kind in ("ConfigValid", "SecretsResolved"):
                assert mail.condition(kind, name)[0] == "True", (name, mail.condition(kind, name))
            assert mail.api.find(f"{DAEMON_SETS}/{name}-smtp-relay"), name
        return True
    wait_until(made, 20, "all children are made")


def objects(mail):
    """All but what improves and the SmtpRelays, whose status an operator may put into words of its own: {path: object}."""
    return {path: mail.api.get(path) for path in mail.versions()
            if not path.startswith(RELAYS) and not IMPROVING.search(path)}


def written(mail, since):
    """What an operator wrote but what improves, its status, Lease and Events, behind the first `since` writes."""
    return [(write["verb"], write["requestURI"]) for write in mail.writes()[since:]
            if not IMPROVING.search(write["requestURI"])
            and (write["objectRef"].get("subresource") != "status" or write["objectRef"]["resource"] != "smtprelays")]


def settings_of(found):
    """{ConfigMap/key: text} of the relays' settings."""
    return {f"{path}/{key}": text for path, item in found.items() if path.startswith(f"{CORE}/configmaps")
            for key, text in item.get("data", {}).items() if key.startswith("relay-")}


def test_an_upgrade_and_the_way_back_write_nothing_but_the_status(estate, definition):
    definition(previous.DEFINITION)
    before = run(estate, PREVIOUS, "before")
    wait_until_made(estate)
    estate.pod("edge-1")
    pod = f"{CORE}/pods/edge-1"
    wait_until(lambda: "smtp.buildinglink.com/reload" in estate.api.get(pod)["metadata"]["annotations"], 10, "it is stamped")
    made, generations = objects(estate), [estate.relay(name)["metadata"]["generation"] for name in estate.names]

    for name, program, put in (("upgraded", PROGRAM, CRD), ("back", PREVIOUS, previous.DEFINITION), ("again", PROGRAM, CRD)):
        since = len(estate.writes())
        definition(put)
        operator = run(estate, program, name)
        assert before.stop() == 0
        wait_until_it_has_looked(estate, operator)
        stays_true(lambda: objects(estate) == made, 3, f"{name}: nothing moves but the status")
        assert written(estate, since) == []
        wait_until_made(estate)
        before = operator
    assert [estate.relay(name)["metadata"]["generation"] for name in estate.names] == generations


def test_each_version_of_the_relay_reads_what_either_operator_renders(estate, definition):
    """Who keeps the relay's image runs settings of another version, and must still be able to start."""
    rendered = {}
    for name, program, put in (("first", PREVIOUS, previous.DEFINITION), ("second", PROGRAM, CRD)):
        definition(put)
        operator = run(estate, program, name)
        wait_until_made(estate)
        rendered[name] = settings_of(objects(estate))
        assert operator.stop() == 0
        for path in objects(estate):
            if path.startswith((DAEMON_SETS, f"{CORE}/configmaps")) and path.endswith("-smtp-relay"):
                estate.api.delete(path)
    assert len(rendered["first"]) == len(estate.names)
    assert rendered["second"] == rendered["first"]
    for programs in (previous.BIN, BIN):
        for path, text in rendered["first"].items():
            file = estate.folder / "relay.json"
            file.write_text(text)
            done = subprocess.run([programs / "smtp-relay", "--config", file, "--check-config"], capture_output=True, text=True,
                                  timeout=60)
            said = done.stdout + done.stderr
            assert "unknown" not in said, f"{programs}: {path}: {said}"


def later_definition(folder):
    """The definition of a version that knows one field more."""
    document = yaml.safe_load(CRD.read_text())
    fields = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    fields["motto"] = {"type": "string", "maxLength": 64, "description": "What a later version knows."}
    path = folder / "later.yaml"
    path.write_text(json.dumps(document))
    return path


@VERSIONS
def test_a_field_of_a_later_version_is_let_be_and_goes_with_its_definition(mail, definition, program):
    mail.names = ["edge"]
    definition(later_definition(mail.folder))
    operator = run(mail, program, "operator")
    mail.apply()
    wait_until_made(mail)
    made = objects(mail)
    wait_until(lambda: mail.api.patch(f"{RELAYS}/edge", {"spec": {"motto": "custody"}})["spec"].get("motto"), 20, "it is kept")
    wait_until_made(mail)
    definition(previous.DEFINITION if program == PREVIOUS else CRD)
    wait_until(lambda: "motto" not in mail.relay()["spec"], 20, "it is gone")
    wait_until_made(mail)
    assert operator.check_alive()
    stays_true(lambda: objects(mail) == made, 3, "nothing moves but the status")
