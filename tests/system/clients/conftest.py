"""A relay with a certificate and users, as all tests of this folder want it."""

import dataclasses
import pathlib
import subprocess

import pytest
from certificates import Authority
from relay import BIN

USER, PASSWORD = "app@example.com", "correct horse battery staple"


@dataclasses.dataclass(frozen=True)
class Secured:
    """`settings` of a relay, and the PEM file of who signed its certificate, which is for localhost."""

    settings: dict
    authority: pathlib.Path


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    users = folder / "users"
    users.write_text(subprocess.run([BIN / "relayctl", "user", USER], input=PASSWORD + "\n", capture_output=True, text=True,
                                    timeout=30, check=True).stdout)
    return Secured({"auth_users_file": users, "tls_certificate_file": certificate, "tls_key_file": key},
                   authority.certificate)
