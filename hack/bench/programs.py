"""The contestants: our relay, Postfix and Exim, each as its makers ship it, as a relay to the sink on this machine."""

import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers.postfix import MASTER  # noqa: E402
from peers.program import RUN, UNPACKED, greets  # noqa: E402
from ports import free_ports  # noqa: E402
from waiting import wait_until  # noqa: E402

UNPACKED_RUN = (str(RUN),)
LOCAL = "127.0.0.1"
LEAST_RESUMED = 0.9  # of the TLS sessions of a turn


def first_line(*command):
    output = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return (output.stdout + output.stderr).strip().splitlines()[0]


def issue_certificate(folder):
    """(certificate, key) in a folder, the same kind for every contestant: P-256, signed by itself."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=relay.bench.test", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Contestant:
    """A program that relays. A subclass says how it is started."""

    name = ""
    durability = ""  # what it has done to a message before it says 250
    fresh_sessions = ""  # why it may resume no TLS sessions; empty where it has to

    def takes_part(self, workload):
        return not workload.only_ours

    def lacks(self, workload):
        """What it would need for a workload and has not, for its row; empty when there is nothing."""
        return ""

    def demand_resumption(self, share):
        """Raises RuntimeError when it resumed too few TLS sessions, of which `share` were (None: there were none), and has to."""
        if share is not None and share < LEAST_RESUMED and not self.fresh_sessions:
            raise RuntimeError(f"{self.name} resumed {share:.0%} of its TLS sessions, less than {LEAST_RESUMED:.0%}")

    def prepare(self):
        """Builds what is only built for this."""

    def version(self):
        raise NotImplementedError

    def command(self, folder, port, sink_port, workload):
        """Writes its settings into an empty folder; returns command and environment."""
        raise NotImplementedError

    def start(self, folder, sink_port, workload, account):
        """Returns the port that it listens on, once it does."""
        folder.mkdir(parents=True)
        port = free_ports(1)[0]
        command, environment = self.command(folder, port, sink_port, workload)
        with (folder / "output.log").open("wb") as output:
            process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output,
                                       stdin=subprocess.DEVNULL, preexec_fn=account.enter)
        greeted, log = greets(LOCAL, port), folder / "output.log"

        def is_ready():
            if process.poll() is not None:  # no use in waiting on
                raise RuntimeError(f"{self.name} ended: {log.read_text(errors='replace')[-1000:]}")
            return greeted()
        wait_until(is_ready, 30, f"{self.name}, see {log},")
        return port


class Ours(Contestant):
    name = "smtp-relay"
    durability = "a sync of the spool before each 250; one sync may serve many messages (its default)"

    def version(self):
        return first_line(str(ROOT / "build/bin/smtp-relay"), "--version")

    def takes_part(self, workload):
        return True

    def command(self, folder, port, sink_port, workload):
        http, metrics, admin = free_ports(3)
        settings = {
            "listen": f"{LOCAL}:{port}", "http_listen": f"{LOCAL}:{http}",
            "metrics_listen": f"{LOCAL}:{metrics}", "admin_listen": f"{LOCAL}:{admin}",
            "max_connections_per_client": 1000,
            "hostname": "relay.bench.test", "spool_path": folder / "spool", "passwd_client": folder / "passwd.client",
            "allowed_networks": "127.0.0.0/8", "smarthost": f"127.0.0.1:{sink_port}", "smarthost_tls": "none",
        }
        if ("dkim", "rsa") in workload.settings:
            key = folder / "private.key"
            subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
            settings["dkim"] = f'[{{"domain": "bench.test", "selector": "s1", "key": "{key}"}}]'
        if workload.starttls:
            settings["tls_certificate_file"], settings["tls_key_file"] = issue_certificate(folder)
        environment = {f"SMTP_RELAY_{name.upper()}": str(value) for name, value in settings.items()}
        return [str(ROOT / "build/bin/smtp-relay")], environment


POSTFIX_MAIN = """\
compatibility_level = 3.6
myhostname = postfix.bench.test
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink_port}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
queue_directory = /var/spool/postfix
data_directory = /var/spool/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/mail.log
biff = no
"""
POSTFIX_TLS = """\
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/postfix/tls.crt
smtpd_tls_key_file = /etc/postfix/tls.key
"""


class Postfix(Contestant):
    name = "Postfix"
    durability = "fsync of each message's file before its 250 (its default)"

    def version(self):
        return "Postfix " + first_line(*UNPACKED_RUN, "postconf", "-h", "-d", "mail_version")

    def command(self, folder, port, sink_port, workload):
        state, etc = folder / "state", folder / "etc"
        for part in ("spool/postfix", "spool/postfix-data", "log"):
            (state / part).mkdir(parents=True)
        shutil.copytree(UNPACKED / "etc/postfix", etc)
        main = POSTFIX_MAIN.format(sink_port=sink_port)
        if workload.starttls:
            issue_certificate(etc)
            main += POSTFIX_TLS
        (etc / "main.cf").write_text(main)
        (etc / "master.cf").write_text(MASTER.replace("smtp  ", f"{LOCAL}:{port} ", 1))
        wrapped = [*UNPACKED_RUN, "--state", str(state), "--bind", f"{etc}:/etc/postfix"]
        prepare = ("cp /usr/share/postfix/dynamicmaps.cf /etc/postfix/ && chown postfix /var/spool/postfix-data && "
                   "chmod 0755 /etc/postfix && exec postfix start-fg")
        return [*wrapped, "sh", "-c", prepare], {}


EXIM = """\
primary_hostname = exim.bench.test
local_interfaces = 127.0.0.1.{port}
{tls}
host_lookup =
rfc1413_query_timeout = 0s
log_file_path = /var/log/exim4/%slog
pid_file_path =
keep_environment =
# By default it takes 20 clients, and delivers only the first 10 messages of a connection at once.
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = accept
begin routers
smarthost:
  driver = manualroute
  transport = smarthost
  route_list = * 127.0.0.1
  self = send
begin transports
smarthost:
  driver = smtp
  port = {sink_port}
  hosts_avoid_tls = *
begin retry
* * F,1h,10s
"""
# tls_advertise_hosts is * by default, with a certificate that it would make itself.
EXIM_PLAIN = "tls_advertise_hosts ="
EXIM_TLS = """\
tls_advertise_hosts = *
tls_certificate = /etc/exim4/tls.crt
tls_privatekey = /etc/exim4/tls.key"""


class Exim(Contestant):
    name = "Exim"
    durability = "fsync of each message's files before its 250 (its default)"
    fresh_sessions = "resumes those of tls_resumption_hosts alone, which are none by default"

    def version(self):
        return re.sub(r" #.*", "", first_line(*UNPACKED_RUN, "exim4", "--version"))

    def command(self, folder, port, sink_port, workload):
        state = folder / "state"
        for part in ("exim4", "spool/exim4", "log/exim4"):
            (state / part).mkdir(parents=True)
        if workload.starttls:
            _, key = issue_certificate(state / "exim4")
            key.chmod(0o640)  # it is read as Debian-exim
        tls = EXIM_TLS if workload.starttls else EXIM_PLAIN
        (state / "exim4/exim4.conf").write_text(EXIM.format(port=port, sink_port=sink_port, tls=tls))
        prepare = ("chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 && "
                   "chown -R root:Debian-exim /etc/exim4 && exec exim4 -bdf -q1m")
        return [*UNPACKED_RUN, "--state", str(state), "sh", "-c", prepare], {}


class Bare(Contestant):
    """hack/bench/bare: what a relay would cost that does nothing but keep mail and pass it on."""

    name = "bare"
    durability = "as smtp-relay: by the same spool"
    program = ROOT / "build/release/bare_relay"

    def takes_part(self, workload):
        return not workload.only_ours

    def prepare(self):
        subprocess.run([ROOT / "hack/build", "release", self.program.name], check=True, stdout=subprocess.DEVNULL)

    def version(self):
        return "hack/bench/bare, no relay for mail but a floor: no policy, queue, retries, reports, log, limits"

    def command(self, folder, port, sink_port, workload):
        certificate = issue_certificate(folder) if workload.starttls else ()
        return [str(each) for each in (self.program, port, sink_port, folder / "spool", *certificate)], {}


class Given(Contestant):
    """A relay that runs already, whose next hop is the sink. Its processes are not ours to count."""

    durability = "not known; started by hand"
    fresh_sessions = "as it was set up"

    def __init__(self, name, port):
        self.name, self.port = name, port

    def version(self):
        return f"{self.name} on port {self.port}"

    def lacks(self, workload):
        self.await_greeting()
        if not workload.starttls:
            return ""
        with smtplib.SMTP(LOCAL, self.port, timeout=60) as client:
            client.ehlo()
            return "" if client.has_extn("starttls") else "offers no STARTTLS"

    def start(self, folder, sink_port, workload, account):
        self.await_greeting()
        return self.port

    def await_greeting(self):
        wait_until(greets(LOCAL, self.port), 5, f"{self.name} on port {self.port}")


class Direct(Contestant):
    """No relay at all: from the source straight to the sink, which shows what the machine can do."""

    name = "direct"
    durability = "none"

    def version(self):
        return "source straight to sink"

    def takes_part(self, workload):
        return not workload.only_ours and not workload.starttls  # smtp-sink has no TLS

    def start(self, folder, sink_port, workload, account):
        return sink_port
