"""How the relay proves to smarthosts who it is."""

import json
import ssl

import pytest
from certificates import Authority
from conftest import PASSWORD, USER
from peers import zones
from peers.by_mx import address, delivery_of, send
from peers.token_endpoint import TokenEndpoint
from raw_sink import RawSink
from relay import Relay, arrived, patiently
from xoauth2_sink import Xoauth2Sink

CLIENT = ("client-id", "client-secret-canary")


def files(folder, **texts):
    """{setting: path of a file with the text}"""
    paths = {}
    for name, text in texts.items():
        file = folder / name
        file.write_text(text + "\n")
        paths[name] = str(file)
    return paths


def relay_to(world, folder, host, port=587, **fields):
    smarthost = {"name": "one", "host": host, "port": port, "ca": str(world.authority.certificate), **fields}
    return Relay(folder, smarthosts=json.dumps([smarthost]))


MECHANISMS = [("exim", "plain"), ("exim", "login"), ("postfix", "plain"), ("postfix", "login"),
              ("postfix", "scram-sha-256"), ("opensmtpd", "plain"), ("opensmtpd", "login")]


@pytest.mark.parametrize("server, mechanism", MECHANISMS, indirect=["server"])
@pytest.mark.parametrize("port, tls", [(587, "required"), (465, "implicit")])
def test_each_mechanism_at_each_server(server, world, tmp_path, mechanism, port, tls):
    secrets = files(tmp_path, username_file=USER, password_file=PASSWORD)
    recipient = address(f"{server.KIND}.example")
    with relay_to(world, tmp_path, server.options.name, port, tls=tls, auth=mechanism, **secrets) as relay:
        send(relay, recipient)
        assert b"with esmtpsa " in server.mailbox.wait_for(recipient)[0].trace.lower()
        assert delivery_of(relay, recipient)["tls"].endswith(" verified")
    said = [line for line in server.commands("AUTH") if line.upper().startswith(f"AUTH {mechanism.upper()}")]
    if server.KIND == "postfix":
        assert said
    assert PASSWORD.split(":")[1] not in relay.log_file.read_text()


def test_any_takes_the_best_that_is_offered(postfix_server, world, tmp_path):
    secrets = files(tmp_path, username_file=USER, password_file=PASSWORD)
    recipient = address("any.example")
    begun = len(postfix_server.commands("AUTH"))
    with relay_to(world, tmp_path, "mx.postfix.test", auth="any", **secrets) as relay:
        send(relay, recipient)
        postfix_server.mailbox.wait_for(recipient)
    assert [line.split()[1] for line in postfix_server.commands("AUTH")[begun:]] == ["SCRAM-SHA-256"]


def test_a_wrong_password_is_refused_by_scram_and_mail_waits(postfix_server, world, tmp_path):
    secrets = files(tmp_path, username_file=USER, password_file="wrong-canary")
    recipient = address("wrong.example")
    with relay_to(world, tmp_path, "mx.postfix.test", auth="scram-sha-256", **secrets) as relay:
        send(relay, recipient)
        record = patiently(lambda: relay.records("credentials_refused"), 20, "the refusal")[0]
        assert record["reply"].startswith("535")
        assert relay.metric("queue_messages") == 1
        # The file alone is changed: that is enough.
        files(tmp_path, password_file=PASSWORD)
        postfix_server.mailbox.wait_for(recipient, seconds=30)
    assert "canary" not in relay.log_file.read_text()


def test_a_mechanism_that_is_not_offered_holds_mail(exim_server, world, tmp_path):
    secrets = files(tmp_path, username_file=USER, password_file=PASSWORD)
    recipient = address("not-offered.example")
    with relay_to(world, tmp_path, "mx.exim.test", auth="scram-sha-256", **secrets) as relay:
        send(relay, recipient)
        patiently(lambda: relay.records("hop_failure") or relay.records("credentials_refused"), 20, "the failure")
        assert relay.metric("queue_messages") == 1
    assert not exim_server.mailbox.deliveries(recipient)


# ---- XOAUTH2 ----

@pytest.fixture
def tokens(world):
    with TokenEndpoint((zones.TOKENS, 443), world.certificates["tokens"], CLIENT, refresh_token="refresh-canary") as endpoint:
        yield endpoint


def xoauth2_sink(world, folder, is_good):
    return Xoauth2Sink(folder / "sink", is_good, listen=((zones.SCRIPTED[0], 587),),
                       tls=world.authority.issue(f"host-{zones.SCRIPTED[0].rsplit('.')[-1]}.test"))


def xoauth2_relay(world, folder, **fields):
    secrets = files(folder, username_file="user@example.com", client_id_file=CLIENT[0], client_secret_file=CLIENT[1])
    return relay_to(world, folder, f"host-{zones.SCRIPTED[0].rsplit('.')[-1]}.test", auth="xoauth2",
                    token_url="https://tokens.test/token", **secrets, **fields)


@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token"])
def test_a_token_is_had_and_shown(world, tokens, tmp_path, grant):
    more = files(tmp_path, refresh_token_file="refresh-canary") if grant == "refresh_token" else {}
    with xoauth2_sink(world, tmp_path, lambda user, token: (user, token) == ("user@example.com", "token-1")) as sink:
        with xoauth2_relay(world, tmp_path, token_scope="mail", **more) as relay:
            send(relay, "one@example.net")
            send(relay, "two@example.net")
            arrived(sink, 2)
        assert set(sink.tokens) == {"token-1"}
    assert tokens.forms[0]["grant_type"] == grant
    assert tokens.forms[0]["scope"] == "mail"
    assert len(tokens.forms) == 1
    log = relay.log_file.read_text()
    assert "canary" not in log and "token-1" not in log


def test_a_token_that_is_refused_is_renewed(world, tokens, tmp_path):
    """It was revoked before its time: the 535 says so, and a new one follows without anybody's doing."""
    with xoauth2_sink(world, tmp_path, lambda user, token: token == "token-2") as sink:
        with xoauth2_relay(world, tmp_path) as relay:
            send(relay, "one@example.net")
            # The next one is asked for a minute behind the first, so that a wrong account does not ask for ever.
            arrived(sink, 1, 120)
            assert relay.records("credentials_refused")
        assert sink.tokens[0] == "token-1" and sink.tokens[-1] == "token-2"


def test_mail_waits_while_no_token_can_be_had(world, tokens, tmp_path):
    tokens.outage = (503, "later")
    with xoauth2_sink(world, tmp_path, lambda user, token: True) as sink:
        with xoauth2_relay(world, tmp_path) as relay:
            send(relay, "one@example.net")
            patiently(lambda: relay.records("hop_failure"), 20, "the failure")
            assert relay.records("token_failure")
            assert relay.metric("queue_messages") == 1
            assert sink.tokens == []
            tokens.outage = None
            arrived(sink, 1, 90)


# ---- a certificate of our own ----

@pytest.mark.parametrize("client", ["good", "another authority", "none"])
@pytest.mark.parametrize("tls", ["required", "implicit"])
def test_a_client_certificate_is_shown_to_who_asks(world, tmp_path, client, tls):
    host, clients = "host-4.test", Authority(tmp_path / "clients", "clients")
    sink = TlsSink if tls == "implicit" else RawSink
    sink = sink(tmp_path / "sink", listen=((zones.SCRIPTED[0], 587),), tls=world.authority.issue(host))
    sink.tls.verify_mode = ssl.CERT_REQUIRED
    sink.tls.load_verify_locations(clients.certificate)
    shown = {}
    if client != "none":
        authority = clients if client == "good" else Authority(tmp_path / "other", "other")
        certificate, key = authority.issue("relay.test")
        shown = {"client_certificate": str(certificate), "client_key": str(key)}
    with sink, relay_to(world, tmp_path, host, tls=tls, auth="none", **shown) as relay:
        send(relay, "one@example.net")
        if client == "good":
            arrived(sink, 1)
            return
        patiently(lambda: relay.records("hop_failure"), 20, "the failure")
        assert relay.metric("queue_messages") == 1
        assert sink.store.messages() == []


class TlsSink(RawSink):
    """TLS from the first octet, RFC 8314."""

    def serve(self, connection, peer):
        try:
            wrapped = self.tls.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError):
            connection.close()
            return
        super().serve(wrapped, peer)
