"""Exim on a host of its own that gives all mail to a relay: what a host's `sendmail` is."""

import subprocess

from relay import ROOT

SETTINGS = """\
primary_hostname = client.test
keep_environment =
disable_ipv6 = true
log_file_path = /var/log/exim4/%slog

begin routers

relay:
  driver = manualroute
  route_list = * {host}
  self = send
  transport = relay

begin transports

relay:
  driver = smtp
  port = {port}
  allow_localhost = true
  hosts_require_tls = *
  hosts_require_auth = *
  tls_verify_certificates = /etc/exim4/ca.crt
  tls_verify_cert_hostnames = *

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^{user}^{password}
"""
# What the package's installation would do, then a message as `sendmail` takes it, delivered before that ends.
COMMANDS = """\
chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 && chown -R root:Debian-exim /etc/exim4 &&
exec exim4 -odi -oi -f "$1" "$2"
"""


def send(target, letter, content, folder):
    """`content` has LF at line ends."""
    state = folder / "exim"
    for part in ("exim4", "spool/exim4", "log/exim4"):
        (state / part).mkdir(parents=True)
    (state / "exim4/exim4.conf").write_text(SETTINGS.format(**vars(target)))
    (state / "exim4/ca.crt").write_bytes(target.authority.read_bytes())
    command = [ROOT / "hack/peers/run", "--state", state, "sh", "-c", COMMANDS, "sh", letter.sender[1], letter.recipient[1]]
    done = subprocess.run([str(part) for part in command], input=content, capture_output=True, timeout=60)
    log = (state / "log/exim4/mainlog").read_text(errors="replace")
    assert done.returncode == 0, f"{done.stderr.decode()}{log}"
    delivered, = [line for line in log.splitlines() if f"=> {letter.recipient[1]}" in line]
    assert " K " in delivered, f"by BDAT: {log}"  # as Exim says it
