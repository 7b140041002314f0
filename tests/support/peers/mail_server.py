"""What tests/support/peers's three mail servers have in common."""

import dataclasses
import pathlib
import re
import shutil

from .mailbox import Mailbox
from .program import Program, greets, listens

MX_PORT, SUBMISSION_PORT, TLS_PORT = 25, 587, 465


@dataclasses.dataclass
class Options:
    """How a mail server is to be. It listens on

      25   as a domain's MX does: from anybody; STARTTLS with a certificate, AUTH within TLS with users
      587  as a smarthost does: AUTH over STARTTLS is a must; only with certificate and users
      465  the same over implicit TLS

    and delivers mail for every domain to its one mailbox. The local part `unknown` is refused with 550 in each.
    """

    name: str  # in its greeting, and in its Received
    address: str  # IPv4; it listens on the IPv6 address beside it as well
    tls: tuple = None  # (certificate, key), PEM files
    users: dict = dataclasses.field(default_factory=dict)  # {user: password}
    dsn: bool = True  # offered, as are the two below, by those that can
    eight_bit: bool = True
    smtputf8: bool = True

    @property
    def is_smarthost(self):
        return bool(self.tls and self.users)

    @property
    def ports(self):
        return (MX_PORT, SUBMISSION_PORT, TLS_PORT) if self.is_smarthost else (MX_PORT,)


class MailServer:
    """A mail server that runs. A subclass writes its settings in configure()."""

    KIND = ""
    COMMAND = ()
    RECIPIENT_FIELD = ""
    # One line of the log that shows a command of a client; the group is the command.
    COMMAND_LINE = ""

    def __init__(self, network, folder, options):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        for part in ("exim4", "spool", "log", "mail"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        self.program = Program(network, self.folder, self.KIND, self.COMMAND)
        self.configure()
        self.mailbox = Mailbox(self.state / "mail/inbox", self.RECIPIENT_FIELD)

    def configure(self):
        raise NotImplementedError

    def start(self):
        first, *others = self.options.ports
        ready = [greets(self.options.address, first), *(listens(self.options.address, port) for port in others)]
        self.program.start(lambda: all(check() for check in ready))
        return self

    def stop(self):
        self.program.stop()

    def log(self):
        return self.program.log()

    def commands(self, verb):
        """The commands that clients sent, as the log shows them: commands("MAIL") has the parameters of each."""
        lines = re.findall(self.COMMAND_LINE, self.log(), re.M)
        return [line.strip() for line in lines if line.upper().startswith(verb.upper())]

    def copy_certificate(self, folder):
        """Puts certificate and key where the server may read them, as tls.crt and tls.key."""
        for file, name in zip(self.options.tls or (), ("tls.crt", "tls.key")):
            shutil.copy(file, pathlib.Path(folder) / name)
