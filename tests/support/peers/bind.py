"""BIND as two peers: the authority for every name there is, and a validating resolver in front of it.

The authority has a signed root, with `test` and the reverse names below it; a domain of zones.world() that is not
signed is delegated without DS, so that a validating resolver finds it insecure.
"""

import base64
import pathlib
import re
import time

from waiting import wait_until

from .network import v6
from .program import STARTS_WITHIN, Program
from .zones import AUTHORITY, FAR, NEAR, RESOLVER, Zone, host

OPTIONS = """\
options {{
  directory "{folder}";
  listen-on {{ {address}; }};
  listen-on-v6 {{ {address6}; }};
  allow-query {{ any; }};
  empty-zones-enable no;
  notify no;
  pid-file none;
  lock-file none;
  session-keyfile "{folder}/session.key";
  {more}
}};
key control {{ algorithm hmac-sha256; secret "dGVzdHM="; }};
controls {{ inet {address} port 953 allow {{ any; }} keys {{ control; }}; }};
"""
RNDC = """\
key control {{ algorithm hmac-sha256; secret "dGVzdHM="; }};
options {{ default-key control; default-server {address}; }};
"""
SERVER = "ns.test."
UNREACHABLE = "lame.test"


class Bind:
    """`trust_anchor`: file with the root's DNSKEY, as libunbound and BIND's delv read it."""

    address, resolver = AUTHORITY, RESOLVER

    def __init__(self, network, folder, zones):
        self.folder = pathlib.Path(folder)
        self.zones = dict(zones)
        self.serial = int(time.time())
        self.trust_anchor = self.folder / "root.key"
        self.programs = {}
        for name, address in (("authority", AUTHORITY), ("resolver", RESOLVER)):
            part = self.folder / name
            part.mkdir(parents=True, exist_ok=True)
            (part / "rndc.conf").write_text(RNDC.format(address=address))
            command = ["named", "-g", "-n", "1", "-c", part / "named.conf"]
            self.programs[name] = Program(network, part, name, command)
        self.tools = self.programs["authority"]

    def start(self):
        self._write()
        for name, address in (("authority", AUTHORITY), ("resolver", RESOLVER)):
            self.programs[name].start(lambda: "NOERROR" in self.dig(".", "SOA", server=address))
        return self

    def stop(self):
        for program in self.programs.values():
            program.stop()

    def publish(self, **zones):
        """Adds or replaces domains: publish(**{"new.test": Zone(...)}). Both servers know them when it returns."""
        self.zones |= zones
        self.serial += 1
        self._write()
        self._rndc("authority", "reload")
        wait_until(lambda: str(self.serial) in self.dig(".", "SOA", server=AUTHORITY), STARTS_WITHIN, "the new names",
                   every=0.05)
        self._rndc("resolver", "flush")

    def anchor_of(self, zone):
        """A file with the DNSKEY of a signed zone, for who trusts it without the root."""
        key, = (self.folder / "authority").glob(f"K{zone}.+*.key")
        file = self.folder / f"{zone}.key"
        file.write_text("".join(line for line in key.read_text().splitlines(True) if not line.startswith(";")))
        return file

    def dig(self, name, kind, *options, server=RESOLVER):
        """What `dig` writes about a question; +dnssec, +cd and the like are options."""
        return self.tools.run("dig", "+time=5", "+tries=1", *options, f"@{server}", name, kind)

    def log(self):
        return "".join(program.log() for program in self.programs.values())

    def _rndc(self, name, *command):
        self.tools.run("rndc", "-c", self.folder / name / "rndc.conf", *command)

    def _write(self):
        folder = self.folder / "authority"
        tree = {**self.zones, "2.0.192.in-addr.arpa": reverse(), "test": Zone(delegations(self.zones), signed=True)}
        tree["."] = Zone({"test.": {"NS": SERVER}, "2.0.192.in-addr.arpa.": {"NS": SERVER},
                          SERVER: host(AUTHORITY)}, signed=True)
        # A zone before the one that delegates it, which takes the DS from it.
        for name in sorted(tree, key=lambda name: -len([label for label in name.split(".") if label])):
            self._write_zone(folder, name, tree[name])
        self._write_settings(folder, tree)

    def _write_zone(self, folder, name, zone):
        file = folder / file_of(name)
        head = f"$TTL 60\n$ORIGIN {name.rstrip('.')}.\n@ SOA {SERVER} root.test. {self.serial} 3600 600 86400 5\n"
        # Of a zone that is named in its own records, these are all.
        own = [] if "NS" in zone.records.get("@", {}) else [f"@ NS {SERVER}"]
        text = head + "\n".join([*own, *zone.lines()]) + "\n"
        file.write_text(text)
        if not zone.signed:
            return
        if not list(folder.glob(f"K{name.rstrip('.')}.+*.key")):
            self.tools.run("dnssec-keygen", "-K", folder, "-a", "ECDSAP256SHA256", "-f", "KSK", name)
        # -z: its one key signs everything; -g: the DS of signed zones below.
        self.tools.run("sh", "-c", 'cd "$1" && shift && exec dnssec-signzone "$@"', "sh", folder, "-S", "-z", "-g", "-Q",
                       "-d", folder, "-K", folder, "-O", "full", "-o", name, "-f", file, file)
        if zone.bogus:
            file.write_text(with_broken_signatures(file.read_text()))

    def _write_settings(self, folder, tree):
        zones = "".join(f'zone "{name}" {{ type primary; file "{file_of(name)}"; }};\n' for name in tree
                        if name != UNREACHABLE)
        (folder / "named.conf").write_text(OPTIONS.format(
            folder=folder, address=AUTHORITY, address6=v6(AUTHORITY), more="recursion no;") + zones)
        key = next(line for line in next(folder.glob("K.+*.key")).read_text().splitlines() if not line.startswith(";"))
        self.trust_anchor.write_text(key + "\n")
        flags, protocol, algorithm, *parts = key.split("DNSKEY")[1].split()
        resolver = self.folder / "resolver"
        (resolver / "root.hints").write_text(f". 60 NS {SERVER}\n{SERVER} 60 A {AUTHORITY}\n")
        (resolver / "named.conf").write_text(OPTIONS.format(
            folder=resolver, address=RESOLVER, address6=v6(RESOLVER),
            more="recursion yes; allow-recursion { any; }; dnssec-validation yes; servfail-ttl 0; max-ncache-ttl 1;")
            + 'zone "." { type hint; file "root.hints"; };\n'
            + f'trust-anchors {{ . static-key {flags} {protocol} {algorithm} "{"".join(parts)}"; }};\n')


def file_of(name):
    return f"{name.rstrip('.') or 'root'}.zone"


def delegations(zones):
    """The records of `test`."""
    records = {"ns": host(AUTHORITY)} | {f"host-{number(address)}": host(address) for address in [*NEAR, *FAR]}
    for name, zone in zones.items():
        label = name.removesuffix(".test")
        if name == UNREACHABLE:
            records |= {label: {"NS": f"ns.{label}"}, f"ns.{label}": zone.records["ns"]}
        else:
            records[label] = {"NS": SERVER}
    return records


def reverse():
    """A host's name by its address; `test` has the address by the name."""
    return Zone({number(address): {"PTR": f"host-{number(address)}.test."} for address in [*NEAR, *FAR]})


def number(address):
    return address.rsplit(".", 1)[1]


def with_broken_signatures(text):
    """One bit of each signature is another, but of that over the keys."""
    def broken(found):
        signature = bytearray(base64.b64decode(found[2].replace(" ", "")))
        signature[-1] ^= 1
        return found[1] + base64.b64encode(signature).decode()
    return re.sub(r"^(\S+\s+\d+\s+IN\s+RRSIG\s+(?!DNSKEY)(?:\S+\s+){8})(\S.*)$", broken, text, flags=re.M)


def start(network, folder, zones):
    return Bind(network, folder, zones).start()
