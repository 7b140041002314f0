"""A relay that delivers by MX within the tests' world."""

import uuid

from certificates import Authority
from raw_sink import RawSink
from relay import Client, Relay, patiently

from . import zones
from .https_files import POLICY_PATH, HttpsFiles
from .zones import Zone

# The relay takes `test` for insecure, as private as it is, unless it has an anchor of its own.
SETTINGS = {"mx_retry_initial_delay": "1s", "retry_max_delay": "2s", "connect_timeout": "10s"}


def relay(world, folder, **settings):
    return Relay(folder, **{"mx_ca": world.authority.certificate, "dns_trust_anchors": world.dns.anchor_of("test"),
                            **SETTINGS, **settings})


def address(domain):
    """A recipient or sender of one test's own."""
    return f"{uuid.uuid4().hex}@{domain}"


def send(relay, *recipients, sender="a@example.com", content=b"Subject: x\r\n\r\nbody\r\n", mail="", rcpt=""):
    with Client(relay.smtp_port) as client:
        return client.send(sender, recipients, content.replace(b"\r\n.", b"\r\n.."), mail, rcpt)


def delivery_of(relay, recipient, seconds=30):
    """The record of the recipient's delivery."""
    def found():
        return [each for each in relay.records("delivery") if each["recipient"] == recipient]
    return patiently(found, seconds, f"the delivery to {recipient}")[0]


def waits(relay, words="", seconds=60):
    """One message waits, and the log says of its next hop why; returns that record."""
    def found():
        return [each for each in relay.records("hop_failure") if words in each["error"]]
    record = patiently(found, seconds, f"a failure with {words!r}")[0]
    assert relay.metric("queue_messages") == 1
    assert not relay.records("delivery") and not relay.records("failure")
    return record


class ScriptedMx:
    """A domain whose one MX, mx.NAME, is a raw sink in the test process, with a certificate good or bad in one way."""

    def __init__(self, world, folder, name, certificate="good", address=zones.SCRIPTED[0], records=None, signed=False,
                 **options):
        """`certificate`: what make_certificate() makes, or a pair of files; `records`: more names of its zone; what is
        in `options` is RawSink's."""
        self.name, self.world = name, world
        is_kind = isinstance(certificate, str)
        tls = make_certificate(world.authority, folder, f"mx.{name}", certificate) if is_kind else certificate
        self.sink = RawSink(folder / "sink", listen=((address, 25),), name=f"mx.{name}", tls=tls, **options)
        self.zone = Zone({"@": {"MX": "10 mx"}, "mx": {"A": address}, **(records or {})}, signed=signed)
        world.dns.publish(**{name: self.zone})

    def __enter__(self):
        self.sink.start()
        return self.sink

    def __exit__(self, *_):
        self.sink.stop()


class StsDomain(ScriptedMx):
    """A scripted MX, and its policy at an https server of its own."""

    HOST = zones.SCRIPTED[2]

    def __init__(self, world, folder, name, policy, records=None, **options):
        own = {"_mta-sts": {"TXT": '"v=STSv1; id=1;"'}, "mta-sts": {"A": self.HOST}}
        super().__init__(world, folder, name, records=own | (records or {}), **options)
        self.host = f"mta-sts.{name}"
        certificate = world.authority.issue(self.host)
        self.files = HttpsFiles((self.HOST, 443), certificate, {(self.host, POLICY_PATH): policy})
        self.https_runs = False

    def __enter__(self):
        self.files.start()
        self.https_runs = True
        return super().__enter__()

    def stop_policy(self):
        if self.https_runs:
            self.files.stop()
        self.https_runs = False

    def __exit__(self, *error):
        self.stop_policy()
        super().__exit__(*error)


def policy(mode, *names, max_age=86400):
    return f"version: STSv1\r\nmode: {mode}\r\n" + "".join(f"mx: {name}\r\n" for name in names) + f"max_age: {max_age}\r\n"


def make_certificate(authority, folder, name, kind):
    """(certificate, key), or None: good, expired, wrong name, another authority, self-signed, none."""
    if kind == "none":
        return None
    if kind == "another authority":
        return Authority(folder / "other", "other").issue(name)
    if kind == "self-signed":
        own = Authority(folder / "own", name)
        return own.certificate, own.certificate.with_suffix(".key")
    return authority.issue("elsewhere.test" if kind == "wrong name" else name, expired=kind == "expired")
