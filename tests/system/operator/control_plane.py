"""A real etcd and kube-apiserver on loopback, without nodes or controllers, and a small client for tests."""

import contextlib
import http.client
import json
import pathlib
import shutil
import ssl
import subprocess
import time
import urllib.parse

from ports import free_port
from processes import Process
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOLS = ROOT / "build/tools/bin"
PATCH = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
# Who wrote what, so that tests can count an operator's writes. Dry runs and refusals are in it too.
AUDIT_POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
"""


class ApiError(AssertionError):
    """The API server's refusal: status code, reason, message and what is wrong with which field."""

    def __init__(self, code, body):
        super().__init__(f"{code} {body.get('message')}")
        self.code, self.reason, self.message = code, body.get("reason"), body.get("message", "")
        self.causes = body.get("details", {}).get("causes", [])


class Pki:
    """A certificate authority and what it signs, by openssl."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-days", "30", "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.crt")
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "accounts.key")
        self.issue("apiserver", "/CN=kube-apiserver", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.issue("admin", "/O=system:masters/CN=admin")

    def issue(self, name, subject, extension=None):
        self._openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        extra = []
        if extension:
            (self.folder / f"{name}.ext").write_text(extension)
            extra = ["-extfile", f"{name}.ext"]
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "30", "-out", f"{name}.crt", *extra)

    def text(self, name):
        return (self.folder / name).read_text()

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)


class ControlPlane:
    def __init__(self, folder, audit_policy=AUDIT_POLICY):
        self.folder = folder
        self.pki = Pki(folder / "pki")
        self.etcd_port, self.api_port = free_port(), free_port()
        self.audit_log = folder / "audit.log"
        (folder / "audit-policy.yaml").write_text(audit_policy)
        (folder / "tokens.csv").write_text('operator-b-token,operator-b,operator-b,""\n')
        self.etcd = Process("etcd", self._etcd_command(), folder)
        self.apiserver = Process("apiserver", self._apiserver_command(), folder)
        self.api = Api(self)

    def start(self):
        assert (TOOLS / "kube-apiserver").exists(), "build the cluster's programs first: hack/tools/build"
        self.etcd.start()
        self.start_apiserver()

    def stop(self):
        # Asked to end, it would wait a minute for watches to end first.
        self.apiserver.kill()
        self.etcd.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def start_apiserver(self):
        self.apiserver.start()
        # The namespace comes last of what the server makes by itself.
        wait_until(lambda: self.apiserver.check_alive() and self.api.get("/api/v1/namespaces/default"), 60,
                   "the API server answers")

    def restart_apiserver(self):
        self.apiserver.kill()
        self.start_apiserver()

    def compact(self):
        """Forgets all revisions of the past, as etcd does every five minutes of its own."""
        status = self._etcd("/v3/maintenance/status", {})
        self._etcd("/v3/kv/compaction", {"revision": status["header"]["revision"], "physical": True})

    def kubeconfig(self, name, port=None, token=None):
        """A kubeconfig file of a user: by client certificate, or by token."""
        user = {"token": token} if token else {
            "client-certificate": f"pki/{name}.crt", "client-key": f"pki/{name}.key"}
        if not token and not (self.pki.folder / f"{name}.crt").exists():
            self.pki.issue(name, f"/CN={name}")
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": f"https://127.0.0.1:{port or self.api_port}", "certificate-authority": "pki/ca.crt"}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": "mail"}}]}))
        return path

    def kubectl(self, *arguments, input=None, check=True):
        command = [TOOLS / "kubectl", "--kubeconfig", self.kubeconfig("admin"), *arguments]
        done = subprocess.run([str(part) for part in command], input=input, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def writes(self, user):
        """The audit records of a user's writes, but for those to its Lease. To ask for one's rights writes nothing."""
        records = (json.loads(line) for line in self.audit_log.read_text().splitlines())
        others = ("leases", "selfsubjectaccessreviews")
        return [record for record in records
                if record["user"]["username"] == user and record["objectRef"]["resource"] not in others]

    def lease_writes(self, user):
        records = (json.loads(line) for line in self.audit_log.read_text().splitlines())
        return [record for record in records
                if record["user"]["username"] == user and record["objectRef"]["resource"] == "leases"]

    def _etcd(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
            return json.loads(text)

    def _etcd_command(self):
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self.etcd_port}"
        return [TOOLS / "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync", "--log-level", "error",
                "--quota-backend-bytes=8589934592",  # benchmarks put thousands of large objects into it
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]

    def _apiserver_command(self):
        pki = self.pki.folder
        return [TOOLS / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
                "--bind-address=127.0.0.1", f"--secure-port={self.api_port}",
                f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
                f"--client-ca-file={pki}/ca.crt", f"--token-auth-file={self.folder}/tokens.csv",
                "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
                f"--service-account-key-file={pki}/accounts.key",
                f"--service-account-signing-key-file={pki}/accounts.key",
                "--service-account-issuer=https://test", "--service-cluster-ip-range=10.0.0.0/16",
                "--etcd-compaction-interval=0", f"--cert-dir={self.folder}/apiserver", "--allow-privileged=true",
                f"--audit-policy-file={self.folder}/audit-policy.yaml", f"--audit-log-path={self.audit_log}",
                "--audit-log-maxsize=4000", "--audit-log-maxbackup=1",  # MB: it is read as one file
                "--shutdown-delay-duration=0s", "--v=1"]


class Api:
    """JSON in, JSON out, as the administrator."""

    def __init__(self, plane):
        self.plane = plane
        self.context = None

    def request(self, method, path, body=None, content_type="application/json"):
        if self.context is None:
            self.context = ssl.create_default_context(cafile=self.plane.pki.folder / "ca.crt")
            self.context.load_cert_chain(self.plane.pki.folder / "admin.crt", self.plane.pki.folder / "admin.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.plane.api_port, timeout=15, context=self.context)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": content_type})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        if response.status >= 300:
            raise ApiError(response.status, answer)
        return answer

    def get(self, path):
        """Waits while the server says that it is busy, as it does where a definition has just changed."""
        end = time.monotonic() + 20
        while True:
            try:
                return self.request("GET", path)
            except ApiError as error:
                if error.code != 429 or time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def find(self, path):
        """The object, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def create(self, path, body):
        return self.request("POST", path, body)

    def patch(self, path, body, kind="merge", **query):
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        return self.request("PATCH", path + suffix, body, PATCH[kind])

    def delete(self, path):
        return self.request("DELETE", path)
