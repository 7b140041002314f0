"""OpenDKIM as a content filter: what it signs verifies where it arrives."""

import json
import subprocess

import pytest
import signatures
from peers.program import RUN
from ports import free_ports
from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to

CONF = """Mode sv
Domain example.com
Selector s1
KeyFile {folder}/s1.pem
RequireSafeKeys No
InternalHosts 127.0.0.0/8
Canonicalization {canonicalization}
AlwaysAddARHeader yes
TestPublicKeys {folder}/keys
Syslog No
"""


def public_record(key):
    text = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True, timeout=60)
    return "v=DKIM1; k=rsa; p=" + "".join(text.stdout.splitlines()[1:-1])


@pytest.fixture(params=["relaxed/relaxed", "simple/simple"])
def opendkim(tmp_path, request):
    """(its port, {name: record} of its key)"""
    key = signatures.make_key(tmp_path / "s1.pem", "rsa")
    published = {"s1._domainkey.example.com.": public_record(key)}
    (tmp_path / "keys").write_text("".join(f"{name.rstrip('.')} {text}\n" for name, text in published.items()))
    (tmp_path / "opendkim.conf").write_text(CONF.format(folder=tmp_path, canonicalization=request.param))
    port, = free_ports(1)
    with (tmp_path / "opendkim.log").open("wb") as log:
        process = subprocess.Popen([RUN, "opendkim", "-f", "-x", tmp_path / "opendkim.conf", "-p", f"inet:{port}@127.0.0.1"],
                                   stdout=log, stderr=log)
    yield port, published
    process.terminate()
    process.wait(20)


def test_opendkim_signs_what_arrives(opendkim, tmp_path):
    port, published = opendkim
    settings = [{"name": "sign", "host": "127.0.0.1", "port": port}]
    large = b"".join(b"line %d \r\n" % i for i in range(20_000))
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, milters=json.dumps(settings)) as relay:
        def is_taken():
            with Client(relay.smtp_port) as client:
                client.begin("a@example.com", ["b@example.net"])
                client.write(b"From: a@example.com\r\nSubject: first\r\n\r\nbody\r\n.\r\n")
                return client.reply().startswith("250 ")
        patiently(is_taken, 30, "OpenDKIM answers")
        with Client(relay.smtp_port) as client:
            client.send(content=b"From: a@example.com\r\nSubject: a folded\r\n\tone\r\nDate: now\r\n\r\nbody\r\n\r\n")
            client.send(content=b"From: a@example.com\r\nSubject:two\r\n\r\n" + large)
        messages = arrived(sink, 3)
        for message in messages:
            assert message.content.count(b"DKIM-Signature:") == 1
            assert signatures.verified(message.content, published)
            assert not signatures.verified(message.content.replace(b"Subject:", b"Subject: x"), published)
        assert relay.metric('milter_messages_total{outcome="changed"}') == 3
