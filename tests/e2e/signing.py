"""The key that `edge` signs mail of DOMAIN with, in the Secret `dkim`, and whether what arrives verifies."""

import base64
import subprocess

import cluster
import dkim

DOMAIN = "signed.example"
SELECTOR = "edge"


class Key:
    def __init__(self):
        self.private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").decode()
        public = openssl("pkey", "-pubout", "-outform", "DER", input=self.private.encode())
        self.record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def verifies(self, raw):
        """Whether a message, with the line ends of a Maildir, bears a signature of this key."""
        def txt(name, **_):
            return self.record if name == f"{SELECTOR}._domainkey.{DOMAIN}.".encode() else None
        return dkim.verify(raw.replace(b"\n", b"\r\n"), dnsfunc=txt)


def openssl(*arguments, input=b""):
    return subprocess.run(["openssl", *arguments], input=input, capture_output=True, check=True).stdout


_present = Key()


def present():
    return _present


def rotate(namespace):
    """Puts another key in the place of the present one; returns it."""
    global _present
    _present = Key()
    cluster.apply(secret(namespace))
    return _present


def secret(namespace):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dkim", "namespace": namespace},
            "stringData": {"private.key": _present.private}}
