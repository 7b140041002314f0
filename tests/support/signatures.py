"""DKIM keys for a relay, and whether what it sends verifies with another implementation."""

import contextlib
import subprocess
from unittest import mock

import dkim


def make_key(file, algorithm):
    kind = {"rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed25519": ["-algorithm", "ED25519"]}
    part = file.with_suffix(".part")
    subprocess.run(["openssl", "genpkey", *kind[algorithm], "-out", part], check=True, capture_output=True, timeout=60)
    part.rename(file)
    return file


def records_of(relay):
    """{name of a TXT record: the text that the log says to publish}, the last of each."""
    return {f"{record['selector']}._domainkey.{record['domain']}.": record["record"]
            for record in relay.records("dkim_key") if "record" in record}


def verified(message, published, index=0, now=None):
    """`published`: what records_of() gives; `now`: the verifier's time, when it is not ours."""
    def txt(name, timeout=5):
        text = published.get(name.decode() if isinstance(name, bytes) else name)
        return text.encode() if text else None
    try:
        with mock.patch.object(dkim.time, "time", lambda: now) if now else contextlib.nullcontext():
            return dkim.DKIM(message).verify(idx=index, dnsfunc=txt)
    except dkim.DKIMException:
        return False
