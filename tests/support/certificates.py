"""Certificates for tests: an authority, and what it signs, good or broken in one way."""

import dataclasses
import pathlib
import subprocess


@dataclasses.dataclass
class Authority:
    folder: pathlib.Path
    name: str = "ca"

    @property
    def certificate(self):
        return self.folder / f"{self.name}.crt"

    def __post_init__(self):
        self.folder = pathlib.Path(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={self.name}",
                "-keyout", self.folder / f"{self.name}.key", "-out", self.certificate)

    def issue(self, host, expired=False, also=()):
        """(certificate, key) for a DNS name or an IP address; `also`: more of them that it has."""
        stem = self.folder / (host.replace(":", "_") + ("-expired" if expired else ""))
        key, request, certificate = (stem.with_name(stem.name + end) for end in (".key", ".csr", ".crt"))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", key, "-out", request)
        extensions = stem.with_name(stem.name + ".ext")
        names = ",".join(f"{'IP' if name.replace('.', '').isdigit() else 'DNS'}:{name}" for name in (host, *also))
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        # A negative number of days ends it before it begins to be used.
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey",
                self.folder / f"{self.name}.key", "-CAcreateserial", "-days", "-1" if expired else "30",
                "-out", certificate, "-extfile", extensions)
        return certificate, key


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
