"""Postfix as a peer: PLAIN, LOGIN and SCRAM-SHA-256 by Cyrus SASL, 8BITMIME, SMTPUTF8, DSN, CHUNKING, PIPELINING."""

import shutil

from .mail_server import MailServer, Options
from .network import v6
from .program import UNPACKED

MAIN = """\
compatibility_level = 3.6
myhostname = {name}
mydestination =
mynetworks =
alias_maps =
alias_database =
inet_interfaces = {address}, {address6}
inet_protocols = all
queue_directory = /var/spool/postfix
data_directory = /var/spool/postfix-data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
message_size_limit = 104857600
mailbox_size_limit = 0
virtual_mailbox_limit = 0
biff = no
# Content stays as it came.
local_header_rewrite_clients =
strict_8bitmime = no
smtputf8_enable = {smtputf8}
smtputf8_autodetect_classes = all
smtpd_discard_ehlo_keywords = {hidden}
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
# The log shows what clients say.
debug_peer_list = 0.0.0.0/0, [::]/0
debug_peer_level = 1
smtpd_peername_lookup = no

virtual_mailbox_domains = static:all
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:inbox/
virtual_minimum_uid = 1
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_destination_recipient_limit = 1
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:/etc/postfix/refused
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = {name}
smtpd_sasl_security_options = noanonymous
"""

TLS = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = /etc/postfix/tls.key, /etc/postfix/tls.crt
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
"""

MASTER = """\
smtp       inet       n - n -     - smtpd
pickup     unix       n - n 60    1 pickup
cleanup    unix       n - n -     0 cleanup
qmgr       unix       n - n 300   1 qmgr
tlsmgr     unix       - - n 1000? 1 tlsmgr
rewrite    unix       - - n -     - trivial-rewrite
bounce     unix       - - n -     0 bounce
defer      unix       - - n -     0 bounce
trace      unix       - - n -     0 bounce
verify     unix       - - n -     1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n -     - proxymap
proxywrite unix       - - n -     1 proxymap
smtp       unix       - - n -     - smtp
relay      unix       - - n -     - smtp
showq      unix       n - n -     - showq
error      unix       - - n -     - error
retry      unix       - - n -     - error
discard    unix       - - n -     - discard
virtual    unix       - n n -     - virtual
anvil      unix       - - n -     1 anvil
scache     unix       - - n -     1 scache
postlog    unix-dgram n - n -     1 postlogd
"""

SMARTHOST = """\
submission inet       n - n -     - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_client_restrictions=permit_sasl_authenticated,reject
smtps      inet       n - n -     - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject
"""

# Whom a certificate proves may send here.
CERTIFICATE_PORT = 2587
CERTIFIED = """\
{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_tls_req_ccert=yes -o smtpd_tls_CAfile=/etc/postfix/clients.crt
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /etc/postfix/sasldb2
mech_list: {mechanisms}
"""


class Postfix(MailServer):
    KIND = "postfix"
    COMMAND = ("postfix", "start-fg")
    RECIPIENT_FIELD = "X-Original-To"
    COMMAND_LINE = r"postfix/(?:submission/|smtps/)?smtpd\[\d+\]: < [^ ]+: (.*)$"

    def __init__(self, network, folder, options, mechanisms=("PLAIN", "LOGIN", "SCRAM-SHA-256"), client_authority=None):
        self.mechanisms, self.client_authority = mechanisms, client_authority
        super().__init__(network, folder, options)

    def configure(self):
        options, etc = self.options, self.state / "postfix"
        shutil.copytree(UNPACKED / "etc/postfix", etc, dirs_exist_ok=True)
        self.copy_certificate(etc)
        hidden = [keyword for keyword, offered in (("8bitmime", options.eight_bit), ("dsn", options.dsn)) if not offered]
        main = MAIN.format(name=options.name, address=options.address, address6=v6(options.address),
                           hidden=", ".join(hidden), smtputf8=yes(options.smtputf8))
        main += f"smtpd_sasl_auth_enable = {yes(options.users)}\n" + (TLS if options.tls else "")
        (etc / "main.cf").write_text(main)
        master = MASTER + (SMARTHOST if options.is_smarthost else "")
        if self.client_authority:
            master += CERTIFIED.format(port=CERTIFICATE_PORT)
            shutil.copy(self.client_authority, etc / "clients.crt")
        (etc / "master.cf").write_text(master)
        (etc / "refused").write_text("/^unknown@/ 550 5.1.1 No such user\n")
        (etc / "sasl/smtpd.conf").write_text(SASL.format(mechanisms=" ".join(self.mechanisms)))
        for part in ("spool/postfix", "spool/postfix-data", "mail/inbox"):
            (self.state / part).mkdir(parents=True, exist_ok=True)
        self.program.binds["/etc/postfix"] = etc
        for user, password in options.users.items():
            self.program.run("saslpasswd2", "-p", "-c", "-f", "/etc/postfix/sasldb2", "-u", options.name, user,
                             input=password)
        # What the package's installation would do.
        self.program.run("sh", "-c", "cp /usr/share/postfix/dynamicmaps.cf /etc/postfix/ && touch /etc/postfix/sasldb2 &&"
                         "chown postfix /var/spool/postfix-data && chown mail:mail /var/mail/inbox &&"
                         "chown root:postfix /etc/postfix/sasldb2 && chmod 0640 /etc/postfix/sasldb2 &&"
                         "chmod 0755 /etc/postfix")


def yes(enabled):
    return "yes" if enabled else "no"


def start(network, folder, mechanisms=("PLAIN", "LOGIN", "SCRAM-SHA-256"), client_authority=None, **options):
    """`mechanisms`: what AUTH offers; `client_authority`: PEM file of who signs the certificates of clients that may
    use CERTIFICATE_PORT, where STARTTLS is a must and AUTH is none."""
    return Postfix(network, folder, Options(**options), mechanisms, client_authority).start()
