"""OpenSMTPD as a peer: PLAIN and LOGIN, 8BITMIME, DSN. It has neither SMTPUTF8 nor PIPELINING."""

import os
import pathlib
import subprocess

from .mail_server import MailServer, Options
from .network import v6

SETTINGS = """\
table everybody {{ "@" = "mail" }}
table users {{ {users} }}
{pki}
{listeners}

action inbox maildir "/var/mail/inbox" virtual <everybody>
match from any for rcpt-to regex "^unknown@" reject
match from any for any action inbox
"""


class OpenSmtpd(MailServer):
    KIND = "opensmtpd"
    # -d: in the foreground, with the log on standard error; -T smtp shows what clients say.
    COMMAND = ("env", "LD_PRELOAD=/etc/exim4/tls.so", "smtpd", "-d", "-T", "smtp", "-f", "/etc/exim4/smtpd.conf")
    RECIPIENT_FIELD = "Delivered-To"
    COMMAND_LINE = r"smtp: 0x[0-9a-f]+: <<< (.*)$"

    def configure(self):
        options = self.options
        etc = self.state / "exim4"  # where hack/peers/run lets settings be
        self.copy_certificate(etc)
        compile_library(pathlib.Path(__file__).with_name("opensmtpd_tls.c"), etc / "tls.so")
        users = ", ".join(f'"{user}" = "{hashed(password)}"' for user, password in options.users.items())
        pki = 'pki peer cert "/etc/exim4/tls.crt"\npki peer key "/etc/exim4/tls.key"' if options.tls else ""
        (etc / "smtpd.conf").write_text(SETTINGS.format(users=users or '"" = ""', pki=pki,
                                                        listeners="\n".join(self.listeners())))
        for part in ("run", "lib/opensmtpd/empty", "spool/smtpd", "mail/inbox"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        self.program.binds |= {"/run": self.state / "run", "/var/lib": self.state / "lib"}
        self.keep_resolver()
        for file in etc.iterdir():
            file.chmod(0o600)
        self.program.run("sh", "-c", "chmod 0711 /var/spool /var/spool/smtpd && chmod 0755 /var/lib/opensmtpd/empty &&"
                         "chown mail:mail /var/mail/inbox")

    def listeners(self):
        options = self.options
        common = f" hostname {options.name}" + ("" if options.dsn else " no-dsn")
        for address in (options.address, v6(options.address)):
            tls = " tls pki peer" if options.tls else ""
            yield f"listen on {address} port 25{tls}{' auth-optional <users>' if options.is_smarthost else ''}{common}"
            if options.is_smarthost:
                yield f"listen on {address} port 587 tls-require pki peer auth <users>{common}"
                yield f"listen on {address} port 465 smtps pki peer auth <users>{common}"

    def keep_resolver(self):
        """Where the machine's resolv.conf is a link to a file in /run, it is there as well."""
        real = os.path.realpath("/etc/resolv.conf")
        if real.startswith("/run/"):
            copy = self.state / real.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(open(real).read())


def compile_library(source, library):
    done = subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-o", library, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def hashed(password):
    """As crypt(3) has it."""
    done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def start(network, folder, **options):
    return OpenSmtpd(network, folder, Options(**options)).start()
