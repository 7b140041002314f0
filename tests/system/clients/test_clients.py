"""Clients as they are: what applications send with gives the relay a message over STARTTLS and AUTH, and it comes out the
same."""

import pytest
import senders
from conftest import PASSWORD, USER
from letter import letter, read
from raw_sink import RawSink
from relay import arrived, relay_to

# Each with the mechanism that it chooses among SCRAM-SHA-256, PLAIN and LOGIN; msmtp is told to take the first.
CLIENTS = {
    senders.python_smtplib: "PLAIN",
    senders.go_net_smtp: "PLAIN",
    senders.node_nodemailer: "PLAIN",
    senders.java_jakarta_mail: "LOGIN",
    senders.rust_lettre: "PLAIN",
    senders.dotnet_bdat: "PLAIN",
    senders.curl: "PLAIN",
    senders.msmtp: "SCRAM-SHA-256",
    senders.swaks: "LOGIN",
    senders.exim: "PLAIN",
}
# Nobody's address lets it in.
STRANGERS = {"allowed_networks": "10.0.0.0/8"}


@pytest.mark.parametrize("send", CLIENTS, ids=lambda each: each.__name__)
def test_what_a_client_sends_over_starttls_and_auth_comes_out_the_same(tmp_path, secured, send):
    written = letter(send.__name__)
    own = tmp_path / "client"
    own.mkdir()
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **STRANGERS, **secured.settings) as relay:
        given = send(senders.Target(relay.smtp_port, secured.authority, USER, PASSWORD), written, own)
        message, = arrived(sink, 1)
        assert (message.sender, message.recipients) == (written.sender[1], [written.recipient[1]])
        assert read(message.content) == written
        if given is not None:
            assert message.content.endswith(b"\r\n" + given), "octet by octet"
        login, = relay.records("login")
        assert (login["user"], login["mechanism"]) == (USER, CLIENTS[send])
        reception, = relay.records("reception")
        assert (reception["user"], reception["tls_version"]) == (USER, "TLSv1.3")
        assert b"\r\n\tby relay.test with ESMTPSA id " in message.content.partition(b"\r\n\r\n")[0]
