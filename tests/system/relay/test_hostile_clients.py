"""What clients send that is no SMTP, or too much of it: to the relay as it runs, from one that may relay and from a stranger.
Whatever they do, the next client is served."""

import base64
import contextlib
import os
import pathlib
import re
import socket
import ssl
import struct
import subprocess

import pytest
from certificates import Authority
from raw_sink import RawSink
from relay import PATIENCE, Client, Relay, arrived, patiently

STRANGER, FRIEND = "127.0.0.1", "127.0.0.2"
SOURCES = pytest.mark.parametrize("source", [STRANGER, FRIEND], ids=["stranger", "friend"])
FEW = 32 * 2**20 * PATIENCE  # octets; AddressSanitizer keeps freed memory for a while


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def relay(authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("relay")
    certificate, key = authority.issue("relay.test")
    with RawSink(folder / "sink") as sink:
        with Relay(folder, smarthost=f"127.0.0.1:{sink.port}", allowed_networks=f"{FRIEND}/32",
                   tls_certificate_file=certificate, tls_key_file=key) as relay:
            relay.sink = sink
            yield relay


@pytest.fixture(autouse=True)
def the_next_client_is_served(relay):
    before, process = len(relay.sink.store.messages()), relay.process.pid
    yield
    with Client(relay.smtp_port, source=FRIEND) as client:
        client.send()
    arrived(relay.sink, before + 1)
    assert relay.process.poll() is None and relay.process.pid == process


def resident(relay):
    """Octets of memory."""
    text = pathlib.Path(f"/proc/{relay.process.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", text, re.M)[1]) * 1024


def lines(client, count):
    return [client.reply() for _ in range(count)]


def flood(client, octets):
    """Sends it, and reads until the relay has closed; what it said is lost where it closed on octets that it had not read."""
    with contextlib.suppress(ConnectionError):
        client.write(octets)
    with contextlib.suppress(ConnectionError):
        while client.reader.read(65536):
            pass


# ---- B. commands ----


@SOURCES
def test_unknown_commands_are_errors_and_the_21st_is_the_last_Case021_Case027(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        for _ in range(19):
            assert client.say("XYZZY").startswith("500 5.5.1")
        client.say("DATA", 503)
        client.say("DATA", 503)
        assert client.reply().startswith("421 4.7.0")
        assert client.reply() == ""


@SOURCES
def test_lines_have_a_length_and_memory_stays_what_it_was_Case022_Case023_Case024(relay, source):
    before = resident(relay)
    for _ in range(10):
        with Client(relay.smtp_port, source=source) as client:
            for size in (511, 512, 513, 2046):
                client.say("NOOP " + "x" * (size - 7), 250)
            for size in (10_000, 1_000_000):
                assert client.say("EHLO " + "x" * size).startswith("500 5.5.2")
            client.say("NOOP", 250)
            flood(client, b"x" * 4_000_000)
    assert resident(relay) - before < FEW


@SOURCES
@pytest.mark.parametrize("octets", [b"NOOP \x80\xff", b"\x00", b"NO\x00OP", b"\x07", b"\x0b", b"NO\x7fOP", b"\xff\xf4\xff\xfd\x06"])
def test_octets_of_no_command_are_refused_and_the_session_lives_Case025(relay, source, octets):
    with Client(relay.smtp_port, source=source) as client:
        client.write(octets + b"\r\n")
        assert client.reply().startswith("500 5.5.2")
        client.say("NOOP", 250)


@SOURCES
def test_replies_are_short_printable_and_echo_nothing_raw_Case026(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        said = [client.banner]
        for words in ("EHLO \x1b[31m<evil>", "EHLO " + "a" * 1900, "MAIL FROM:<a@b\r\nRCPT", "VRFY <\x07>", "HELP " + "x" * 1000,
                      "MAIL FROM:<" + "x" * 64 + "@" + "y" * 60 + ".example>", "RCPT TO:<" + "z" * 64 + "@example.net>"):
            said.append(client.say(words))
    for line in "\n".join(said).splitlines():
        assert len(line) + 2 <= 512 and re.fullmatch(r"[2-5][0-9][0-9][ -][ -~]*", line), line


def test_recipients_are_counted_and_memory_stays_what_it_was_Case028(relay):
    before = resident(relay)
    with Client(relay.smtp_port, source=FRIEND) as client:
        client.say("MAIL FROM:<a@example.com>", 250)
        said = []
        for group in range(50):
            client.write(b"".join(b"RCPT TO:<r%d@example.net>\r\n" % (group * 1000 + each) for each in range(1000)))
            said += lines(client, 1000)
        assert all(reply.startswith("250 ") for reply in said[:1000])
        assert all(reply.startswith("452 4.5.3") for reply in said[1000:])
        client.say("RSET", 250)
    assert resident(relay) - before < FEW


@SOURCES
def test_idle_commands_are_not_for_ever_Case029(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        for number in range(120):  # the greeting is one
            assert client.say(("NOOP", "RSET", "VRFY x", "HELP")[number % 4])[0] == "2"
        assert client.reply().startswith("421 4.7.0")
        assert client.reply() == ""


def test_a_stranger_that_speaks_first_is_not_served_and_a_friend_is_Case030(relay):
    def first_words(source):
        with socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=20 * PATIENCE, source_address=(source, 0)) as opened:
            opened.sendall(b"EHLO a\r\nQUIT\r\n")
            return b"".join(iter(lambda: opened.recv(65536), b"")).decode()

    # A stranger is watched for a tenth of a second; what is sent later than that is no early talk.
    patiently(lambda: re.fullmatch(r"554 5\.5\.0 [^\n]*\n", first_words(STRANGER)), 20, "it is turned away")
    assert re.fullmatch(r"220 .*\n(250-.*\n)*250 .*\n221 .*\n", first_words(FRIEND).replace("\r", ""))


@SOURCES
def test_content_that_does_not_wait_for_354_is_no_command_Case031(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        client.write(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@[127.0.0.1]>\r\nDATA\r\n"
                     b"Subject: x\r\nRSET\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nx\r\n.\r\n")
        with contextlib.suppress(ConnectionError):
            said = client.reader.read().decode()
            assert [code for code in re.findall(r"^(\d{3}) ", said, re.M) if code in ("354", "221")] == []
            assert len(re.findall(r"^250 ", said, re.M)) == 1, "MAIL alone"
    assert not [each for each in relay.sink.store.messages() if each.sender == "evil@example.com"]


@SOURCES
def test_a_group_is_answered_in_order_Case032_Case033(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        client.write(b"NOOP\r\nMAIL FROM:<a@b.example>\r\nNOOP\r\nRSET\r\nRCPT TO:<c@d.example>\r\nQUIT\r\nNOOP\r\n")
        said = client.reader.read().decode()
        assert re.findall(r"^(\d{3}) ", said, re.M) == ["250", "250", "250", "250", "503", "221"]


@SOURCES
def test_commands_out_of_order_are_refused_Case034(relay, source):
    with Client(relay.smtp_port, None, source) as client:
        assert client.say("MAIL FROM:<a@b.example>").startswith("503 5.5.1")
        client.say("EHLO a", 250)
        assert client.say("RCPT TO:<c@d.example>").startswith("503 5.5.1")
        assert client.say("DATA").startswith("503 5.5.1")
        client.say("MAIL FROM:<a@b.example>", 250)
        assert client.say("MAIL FROM:<a@b.example>").startswith("503 5.5.1")
        assert client.say("RCPT TO:<c@[127.0.0.1]>")[0] == "5"
        assert client.say("DATA").startswith("554 5.5.1")


@SOURCES
def test_arguments_where_none_belong_are_refused_Case035(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        client.say("MAIL FROM:<a@b.example>", 250)
        for command in ("DATA x", "RSET x", "QUIT x", "STARTTLS x"):
            assert client.say(command).startswith("501 5.5.4"), command
        client.say("MAIL FROM:<a@b.example>", 503)


@SOURCES
@pytest.mark.parametrize("greet", [None, "EHLO a"], ids=["first", "later"])
@pytest.mark.parametrize("words", ["GET / HTTP/1.1", "CONNECT a:25 HTTP/1.1", "POST / HTTP/1.0", "Subject: x"])
def test_other_protocols_are_closed_on_Case036(relay, source, greet, words):
    with Client(relay.smtp_port, greet, source) as client:
        assert client.say(words).startswith("500 ")
        assert client.reply() == ""


@SOURCES
def test_a_transaction_outlives_questions_Case037(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        client.say("MAIL FROM:<a@b.example>", 250)
        for command, code in (("VRFY b", 252), ("EXPN list", 502), ("HELP", 214), ("ETRN x", 502), ("TURN", 502), ("NOOP", 250)):
            client.say(command, code)
        client.say("MAIL FROM:<a@b.example>", 503)


# ---- C. addresses and parameters ----


@SOURCES
@pytest.mark.parametrize("path", [
    "<;for i in 0;do id;done>", "<$(id)>", "<`id`>", "<|id>", "<;id;>", "<user@>", "<@>", "<@example.com>", "<a@b@c>", "<a b@c>",
    "<a@b", "a@b>", "<" + "x" * 65 + "@example.com>", "<a@" + "y." * 127 + "example>", "<a@[999.1.1.1]>", "<a@[IPv6:>", "<a@[]>"])
def test_what_is_no_address_is_no_sender_and_no_recipient_Case038_Case040_Case049_Case050(relay, source, path):
    with Client(relay.smtp_port, source=source) as client:
        assert client.say(f"MAIL FROM:{path}").startswith("501 5.1.7")
        client.say("MAIL FROM:<a@b.example>", 250)
        assert client.say(f"RCPT TO:{path}").startswith("501 5.1.3")


@SOURCES
def test_nobody_sends_and_nobody_receives_Case039(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        client.say("MAIL FROM:<>", 250)
        assert client.say("RCPT TO:<>").startswith("501 5.1.3")


@SOURCES
@pytest.mark.parametrize("parameters, reply", [
    ("=", "555 5.5.4"), ('" =', "555 5.5.4"), ("SIZE", "501 5.5.4"), ("SIZE=", "501 5.5.4"), ("SIZE=1 SIZE=1", "501 5.5.4"),
    ("SIZE=-1", "501 5.5.4"), ("SIZE=99999999999999999999", "501 5.5.4"), ("BODY=9BIT", "501 5.5.4"), ("X=1", "555 5.5.4"),
    (" ".join(f"P{number}" for number in range(300)), "501 5.5.4"), ("ENVID=+0D+0A", "501 5.5.4"), ("ENVID=+00", "501 5.5.4"),
    ("ENVID=+G1", "501 5.5.4"), ("ENVID=+", "501 5.5.4"), ("ENVID=" + "x" * 101, "501 5.5.4"), ("SIZE=99999999999", "552 5.3.4")])
def test_parameters_are_taken_one_by_one_Case042_Case043_Case044_Case077(relay, source, parameters, reply):
    with Client(relay.smtp_port, source=source) as client:
        assert client.say(f"MAIL FROM:<a@b.example> {parameters}").startswith(reply)
        client.say("MAIL FROM:<a@b.example>", 250)


@SOURCES
def test_what_is_no_utf8_is_no_address_Case051(relay, source):
    with Client(relay.smtp_port, source=source) as client:
        for path in (b"\xc0\xaf@d", b"\xed\xa0\x80@d", b"\xff@d", b"a\0b@d"):
            client.write(b"MAIL FROM:<" + path + b"> SMTPUTF8\r\n")
            assert client.reply()[:3] in ("501", "500"), path
        client.write("MAIL FROM:<grüße@example.com>\r\n".encode())
        assert client.reply().startswith("553 5.6.7")


# ---- D. TLS ----


def hello(name):
    """The ClientHello of OpenSSL, with these octets in the place of the server's name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    placeholder = "n" * (len(name) - 5) + ".test"
    context = ssl.create_default_context()
    session = context.wrap_bio(incoming, outgoing, server_hostname=placeholder)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    octets = outgoing.read()
    assert octets.count(placeholder.encode()) == 1
    return octets.replace(placeholder.encode(), name)


@pytest.mark.parametrize("name", [b"relay.test\\\0", b"a\0b.example.test", b"\\" * 20, b"\xff" * 60, b"127.0.0.1"],
                         ids=["backslash and NUL", "NUL", "backslashes", "no text", "an address"])
def test_any_servers_name_is_taken_or_refused_and_no_more_Case061(relay, name):
    with Client(relay.smtp_port, source=STRANGER) as client:
        client.say("STARTTLS", 220)
        client.write(hello(name))
        # A ServerHello, an alert, or the end; never a word in the clear.
        with contextlib.suppress(ConnectionError):
            assert client.reader.read(1) in (b"\x16", b"\x15", b"")


def test_answers_that_wait_when_tls_ends_are_let_go_Case058(relay, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    for _ in range(20):
        with Client(relay.smtp_port, source=FRIEND) as client:
            client.say("STARTTLS", 220)
            with context.wrap_socket(client.connection, server_hostname="relay.test") as secured:
                secured.sendall(b"EHLO a\r\nMAIL FROM:<a@example.com>\r\n" + b"RCPT TO:<b@example.net>\r\n" * 500)
                # Without a word: what the relay still has to say is answered by a reset.
                secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError, ValueError):
                client.close()


@contextlib.contextmanager
def secured(relay, source, *before, **wanted):
    """A client behind a handshake; `before`: what it says in the clear. `wanted`: of its TLS, as an ssl.SSLContext has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ciphers = wanted.pop("ciphers", None)
    if ciphers:
        context.set_ciphers(ciphers)
    for name, value in wanted.items():
        setattr(context, name, value)
    with Client(relay.smtp_port, source=source) as client:
        for line in before:
            client.say(line, 250)
        client.say("STARTTLS", 220)
        client.connection = context.wrap_socket(client.connection, server_hostname="relay.test")
        client.reader = client.connection.makefile("rb")
        yield client


@SOURCES
def test_what_was_said_before_tls_is_forgotten_Case053_Case055(relay, source):
    with secured(relay, source, "MAIL FROM:<clear@example.com>") as client:
        for line in ("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA"):
            assert client.say(line).startswith("503 5.5.1"), line
    with secured(relay, source, "MAIL FROM:<clear@example.com>") as client:
        client.say("EHLO secured.test", 250)
        assert client.say("RCPT TO:<b@example.net>").startswith("503 5.5.1")
        client.say("MAIL FROM:<a@example.com>", 250)
    assert not [each for each in relay.sink.store.messages() if each.sender == "clear@example.com"]


@SOURCES
def test_tls_is_neither_offered_nor_begun_inside_tls_Case054(relay, source):
    with secured(relay, source) as client:
        assert "STARTTLS" not in client.say("EHLO secured.test", 250)
        assert client.say("STARTTLS").startswith("554 5.5.1")
        client.say("MAIL FROM:<a@example.com>", 250)


# Without these a client of today would not even ask.
WEAKEST = "ALL:eNULL:@SECLEVEL=0"


@pytest.mark.parametrize("wanted, reason", [
    ({"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1, "ciphers": WEAKEST},
     "unsupported protocol"),
    ({"minimum_version": ssl.TLSVersion.TLSv1_1, "maximum_version": ssl.TLSVersion.TLSv1_1, "ciphers": WEAKEST},
     "unsupported protocol"),
    *(({"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": ciphers + ":@SECLEVEL=0"}, "no shared cipher")
      for ciphers in ("eNULL", "aNULL")),
], ids=["TLS 1.0", "TLS 1.1", "no encryption", "no certificate"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused_Case062(relay, wanted, reason):
    before = len(relay.records("client_tls_failed"))
    with pytest.raises((ssl.SSLError, ConnectionError)), secured(relay, STRANGER, **wanted):
        pass
    failed = patiently(lambda: relay.records("client_tls_failed")[before:], 5, "the relay has refused it, and not its client")
    assert reason in failed[0]["error"]


def test_there_is_neither_compression_nor_renegotiation_Case062(relay):
    with secured(relay, STRANGER, maximum_version=ssl.TLSVersion.TLSv1_2) as client:
        assert client.connection.version() == "TLSv1.2" and client.connection.compression() is None
    with subprocess.Popen(["openssl", "s_client", "-starttls", "smtp", "-tls1_2", "-connect", f"127.0.0.1:{relay.smtp_port}"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        told = b""
        while not re.search(rb"^250 .*\n", told, re.M):  # the end of the answer to its EHLO: it listens to us from now on
            octets = os.read(program.stdout.fileno(), 65536)
            assert octets, told
            told += octets
        program.stdin.write(b"R\n")  # its word for: renegotiate
        program.stdin.flush()
        assert b"no renegotiation" in program.communicate(timeout=20 * PATIENCE)[0]


@SOURCES
def test_asking_for_tls_again_and_again_is_an_error_each_time_Case063(relay, source):
    with secured(relay, source) as client:
        client.write(b"STARTTLS\r\n" * 21)
        assert [reply[:9] for reply in lines(client, 21)] == ["554 5.5.1"] * 21
        assert client.reply().startswith("421 4.7.0") and client.reply() == ""


# ---- E and F: PROXY headers of strangers, and content that does not end ----


@SOURCES
@pytest.mark.parametrize("octets", [
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\1\x7f\0\0\1\0\x19\0\x19", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    b"PROXY TCP4 127.0.0.2 127.0.0.1 1 25\r\n", b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"])
def test_a_header_of_a_load_balancer_from_anyone_else_is_closed_on_Case056_Case070(relay, source, octets):
    with Client(relay.smtp_port, None, source) as client:
        flood(client, octets + b"\r\n")


def test_who_vanishes_before_the_end_leaves_nothing_Case073_Case075(relay):
    with Client(relay.smtp_port, source=FRIEND) as client:
        client.begin("vanished@example.com", ["b@example.net"])
        client.write(b"Subject: x\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n.\r")
        client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connection.close()
    patiently(lambda: relay.metric("connections") == 0, 20, "its session is over")
    assert relay.is_empty()
    assert not [each for each in relay.sink.store.messages() if each.sender == "vanished@example.com"]


@pytest.mark.parametrize("credentials", [b"\0a\0b", b"\0" * 3, b"a\0" + b"b" * 9000 + b"\0c", b"", b"\xff\0\xff\0\xff"])
def test_auth_where_it_is_not_offered_is_an_error_Case064(relay, credentials):
    with Client(relay.smtp_port, source=STRANGER) as client:
        assert client.say("AUTH PLAIN " + base64.b64encode(credentials).decode())[:3] in ("500", "501", "502", "503")
        client.say("NOOP", 250)
