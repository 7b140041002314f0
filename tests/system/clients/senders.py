"""How each client sends the letter to a relay with users and a certificate.

A sender is called with the target, the letter and a folder of its own. It returns the message as it gave it to its client,
CRLF at line ends, or None where the client composes it. It fails where the client does.
"""

import dataclasses
import os
import pathlib
import smtplib
import ssl
import subprocess

import dotnet
import exim_client
from letter import octets_of
from relay import ROOT
from waiting import PATIENCE

SOURCES = ROOT / "tests/support/clients"
BUILT = ROOT / "build/clients/bin"
IN_PEERS = ROOT / "hack/peers/run"
JARS = ("/usr/share/java/jakarta-mail.jar", "/usr/share/java/jakarta-activation.jar")
LASTS = 60 * PATIENCE  # seconds; a busy machine starts Java slowly


@dataclasses.dataclass(frozen=True)
class Target:
    """A relay, and who may log in to it."""

    port: int
    authority: pathlib.Path  # PEM file
    user: str
    password: str
    host: str = "localhost"


def run(command, input=None, environment=None, cwd=None):
    """A client program, in UTF-8 and without the user's own settings; returns what it said."""
    inherited = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(part) for part in command], input=input, capture_output=True, cwd=cwd, timeout=LASTS,
                          env=inherited | (environment or {}))
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"{command[0]}: {said[-3000:]}"
    return said


def environment(target, letter, folder):
    """What the programs of tests/support/clients read; README.md there has the table."""
    attachment = folder / letter.file_name
    attachment.write_bytes(letter.octets)
    return {
        "SMTP_HOST": target.host, "SMTP_PORT": str(target.port), "SMTP_CA": str(target.authority),
        "SMTP_USER": target.user, "SMTP_PASSWORD": target.password,
        "FROM_NAME": letter.sender[0], "FROM_ADDRESS": letter.sender[1],
        "TO_NAME": letter.recipient[0], "TO_ADDRESS": letter.recipient[1],
        "SUBJECT": letter.subject, "TEXT": letter.text, "ATTACHMENT": str(attachment),
    }


# ---- libraries ----

def python_smtplib(target, letter, _folder):
    content = octets_of(letter)
    with smtplib.SMTP(target.host, target.port, local_hostname="client.test", timeout=LASTS) as client:
        client.starttls(context=ssl.create_default_context(cafile=target.authority))
        client.login(target.user, target.password)
        client.sendmail(letter.sender[1], [letter.recipient[1]], content, mail_options=["BODY=8BITMIME"])
    return content


def go_net_smtp(target, letter, folder):
    content = octets_of(letter)
    run([BUILT / "netsmtp"], content, environment(target, letter, folder))
    return content


def node_nodemailer(target, letter, folder):
    # A Node that is not Debian's does not look where Debian puts modules.
    run(["node", SOURCES / "nodemailer.js"], None, environment(target, letter, folder) | {"NODE_PATH": "/usr/share/nodejs"})


def java_jakarta_mail(target, letter, folder):
    run(["java", "-XX:TieredStopAtLevel=1", "-cp", ":".join([str(BUILT), *JARS]), "JakartaMail"], None,
        environment(target, letter, folder))


def rust_lettre(target, letter, folder):
    run([BUILT / "lettre"], None, environment(target, letter, folder))


def dotnet_bdat(target, letter, _folder):
    content = octets_of(letter)
    dotnet.send(target, letter, content)
    return content


# ---- programs; those that are filters get LF at line ends ----

def curl(target, letter, folder):
    content = octets_of(letter)
    settings = folder / "curlrc"
    settings.write_text(f'user = "{target.user}:{target.password}"\n')
    run(["curl", "--silent", "--show-error", "--config", settings, "--url", f"smtp://{target.host}:{target.port}/client.test",
         "--ssl-reqd", "--cacert", target.authority, "--mail-from", letter.sender[1], "--mail-rcpt", letter.recipient[1],
         "--upload-file", "-"], content)
    return content


MSMTPRC = """\
account default
host {host}
port {port}
domain client.test
tls on
tls_starttls on
tls_trust_file {authority}
auth scram-sha-256
user {user}
password "{password}"
"""


def msmtp(target, letter, folder):
    content = octets_of(letter)
    settings = folder / "msmtprc"
    settings.touch(mode=0o600)  # it reads no other
    settings.write_text(MSMTPRC.format(**dataclasses.asdict(target)))
    run(["msmtp", "--file", settings, "--from", letter.sender[1], letter.recipient[1]], content.replace(b"\r\n", b"\n"))
    return content


def swaks(target, letter, _folder):
    content = octets_of(letter)
    unended = content.replace(b"\r\n", b"\n").removesuffix(b"\n")  # it ends the last line itself
    run([IN_PEERS, "swaks", "--server", target.host, "--port", target.port, "--helo", "client.test", "--tls", "--tls-verify",
         "--tls-ca-path", target.authority, "--auth", "--auth-user", target.user, "--auth-password", target.password,
         "--from", letter.sender[1], "--to", letter.recipient[1], "--data", "-"], unended)
    return content


def exim(target, letter, folder):
    content = octets_of(letter)
    exim_client.send(target, letter, content.replace(b"\r\n", b"\n"), folder)
    return content
