"""Exim as a peer: PLAIN and LOGIN, 8BITMIME, SMTPUTF8, DSN, CHUNKING, PIPELINING."""

from .mail_server import MailServer, Options
from .network import v6

SETTINGS = """\
primary_hostname = {name}
local_interfaces = <; {address} ; {address6}
daemon_smtp_ports = {ports}
tls_on_connect_ports = 465
pid_file_path =
keep_environment =
host_lookup =
message_size_limit = 100M
log_file_path = /var/log/exim4/%slog
log_selector = +smtp_protocol_error +smtp_syntax_error +tls_peerdn +received_recipients
smtp_accept_max = 100
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
rfc1413_query_timeout = 0s
accept_8bitmime = {eight_bit}
smtputf8_advertise_hosts = {smtputf8}
dsn_advertise_hosts = {dsn}
chunking_advertise_hosts = *
tls_advertise_hosts = {tls}
tls_certificate = /etc/exim4/tls.crt
tls_privatekey = /etc/exim4/tls.key
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}}}
allow_utf8_domains = true

acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt

begin acl

check_mail:
  warn   log_message = said: $smtp_command
  deny   condition = ${{if eq{{$received_port}}{{25}}{{no}}{{yes}}}}
         !authenticated = *
         message = 530 5.7.0 Authentication required
  accept

check_rcpt:
  warn   log_message = said: $smtp_command
  deny   local_parts = unknown
         message = 550 5.1.1 No such user
  accept

begin routers

inbox:
  driver = accept
  transport = inbox

begin transports

inbox:
  driver = appendfile
  maildir_format
  directory = /var/mail/inbox
  user = Debian-exim
  group = Debian-exim
  return_path_add
  envelope_to_add

begin retry

* * F,1h,10s

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{lookup{{$auth2}}lsearch{{/etc/exim4/passwd}}{{${{if eq{{$value}}{{$auth3}}}}}}{{false}}}}
  server_set_id = $auth2

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{lookup{{$auth1}}lsearch{{/etc/exim4/passwd}}{{${{if eq{{$value}}{{$auth2}}}}}}{{false}}}}
  server_set_id = $auth1
"""


class Exim(MailServer):
    KIND = "exim"
    COMMAND = ("exim4", "-bdf", "-q30s")
    RECIPIENT_FIELD = "Envelope-to"
    COMMAND_LINE = r"said: (.*)$"

    def configure(self):
        options, etc = self.options, self.state / "exim4"
        self.copy_certificate(etc)
        (etc / "passwd").write_text("".join(f"{user}:{password}\n" for user, password in options.users.items()))
        (etc / "exim4.conf").write_text(SETTINGS.format(
            name=options.name, address=options.address, address6=v6(options.address),
            ports=" : ".join(map(str, options.ports)), eight_bit="true" if options.eight_bit else "false",
            smtputf8=every(options.smtputf8), dsn=every(options.dsn), tls=every(options.tls)))
        for folder in ("spool/exim4", "log/exim4", "mail/inbox"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        self.program.run("sh", "-c", "chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /var/mail/inbox &&"
                         "chown -R root:Debian-exim /etc/exim4 && chmod -R u=rwX,g=rX,o= /etc/exim4")

    def log(self):
        main = self.state / "log/exim4/mainlog"
        return super().log() + (main.read_text(errors="replace") if main.exists() else "")


def every(enabled):
    """A list of hosts: all or none."""
    return "*" if enabled else ""


def start(network, folder, **options):
    return Exim(network, folder, Options(**options)).start()
