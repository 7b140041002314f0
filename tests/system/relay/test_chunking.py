"""CHUNKING and BINARYMIME (RFC 3030): clients that send content by BDAT, and what comes of it at a sink that keeps octets."""

import email
import email.policy
import random
import smtplib

import pytest
from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to

HEADER = b"Subject: x\r\nFrom: a@example.com\r\n"


def chunk(octets, last=False):
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets)


def begin(client, sender="a@example.com", recipient="b@example.net", parameter=""):
    client.say(f"MAIL FROM:<{sender}>{parameter}", 250)
    client.say(f"RCPT TO:<{recipient}>", 250)


def send_chunks(client, *chunks, parameter=""):
    """One message in these chunks, each answered before the next; returns its queue id."""
    begin(client, parameter=parameter)
    for octets in chunks[:-1]:
        client.write(chunk(octets))
        assert client.reply() == f"250 2.0.0 {len(octets)} octets received"
    client.write(chunk(chunks[-1], last=True))
    reply = client.reply()
    assert reply.startswith("250 2.0.0 OK queued as "), reply
    return reply.rsplit(" ", 1)[1]


def of_the_client(message):
    """What stands below our own header line."""
    lines = message.content.split(b"\r\n")
    first = next(i for i, line in enumerate(lines[1:], 1) if not line.startswith(b"\t"))
    return b"\r\n".join(lines[first:])


# What a client sends, and what goes on: CRLF line ends only, the last line ended, else octet by octet.
CONTENTS = {
    "lines": (HEADER + b"\r\nbody\r\n", None),
    "dots": (HEADER + b"\r\n.\r\n..\r\n.x\r\n\r\n.\r\nQUIT\r\n", None),
    "end-of-data": (HEADER + b"\r\nx\r\n.\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<v@example.net>\r\nDATA\r\n", None),
    "bare-line-ends": (HEADER + b"\r\na\nb\rc\r\r\nd\n.\ne", HEADER + b"\r\na\r\nb\r\nc\r\n\r\nd\r\n.\r\ne\r\n"),
    "no-final-line-end": (HEADER + b"\r\nbody", HEADER + b"\r\nbody\r\n"),
    "octets": (HEADER + b"\r\n" + bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n", None),
    "header-alone": (HEADER, None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_arrives_octet_by_octet_however_it_is_cut(tmp_path, name):
    content, expected = CONTENTS[name]
    expected = content if expected is None else expected
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as client:
        cuts = [[content], [content, b""], [content[:1], content[1:]]]
        cuts += [[content[i:i + 7] for i in range(0, len(content), 7)] or [b""]]
        # Between CR and LF, where there is one.
        cuts += [[content[:at], content[at:]] for at in [content.find(b"\n")] if at > 0]
        for chunks in cuts:
            send_chunks(client, *chunks)
        for message in arrived(sink, len(cuts)):
            assert of_the_client(message) == expected
        for record in relay.records("reception"):
            assert record["size"] == len(expected)


def test_a_group_is_answered_in_order_and_so_is_the_next_message_in_it(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as client:
        envelope = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n"
        client.write(envelope + chunk(HEADER) + chunk(b"\r\none\r\n") + chunk(b"", last=True) +
                     envelope + chunk(HEADER + b"\r\ntwo\r\n", last=True) + b"QUIT\r\n")
        codes = [client.reply()[:3] for _ in range(9)]
        assert codes == ["250"] * 8 + ["221"]
        bodies = sorted(of_the_client(message) for message in arrived(sink, 2))
        assert bodies == [HEADER + b"\r\none\r\n", HEADER + b"\r\ntwo\r\n"]


def test_chunks_that_are_refused_never_run_as_commands_Case079(tmp_path):
    evil = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\n"
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        with Client(relay.smtp_port) as client:
            client.write(chunk(evil, last=True))
            assert client.reply() == "503 5.5.1 MAIL and RCPT come first"
            client.say("MAIL FROM:<a@example.com>", 250)
            assert client.say("RCPT TO:<not an address>").startswith("501")
            client.write(chunk(evil) + chunk(evil, last=True))
            assert client.reply() == "554 5.5.1 No valid recipients"
            assert client.reply() == "503 5.5.1 MAIL and RCPT come first"
            begin(client)
            client.write(chunk(HEADER) + b"DATA\r\n")
            assert client.reply().startswith("250")
            assert client.reply() == "503 5.5.1 The content has begun by BDAT"
            send_chunks(client, HEADER)
        for size, code in ((b"-1", 501), (b"18446744073709551616", 501), (b"18446744073709551615", 552), (b"", 501)):
            with Client(relay.smtp_port) as client:
                begin(client)
                client.write(b"BDAT " + size + b" LAST\r\n" + evil)
                assert client.reply().startswith(str(code))
                assert client.reply() == "", "it is closed"
        assert len(relay.records("reception")) == 1
        arrived(sink, 1)


def test_what_grows_too_large_is_refused_once_and_the_session_goes_on_Case079(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, max_message_size="1Mi") as relay:
        with Client(relay.smtp_port) as client:
            begin(client)
            line = b"x" * 98 + b"\r\n"
            client.write(chunk(HEADER + b"\r\n" + line * 6000) + chunk(line * 6000) + chunk(line, last=True) + b"NOOP\r\n")
            assert client.reply().startswith("250 2.0.0 600035 octets")
            assert client.reply().startswith("552 5.3.4 Message size exceeds ")
            assert client.reply() == "503 5.5.1 MAIL and RCPT come first"
            assert client.reply().startswith("250")
            send_chunks(client, HEADER, b"\r\n" + line * 6000)
        assert of_the_client(arrived(sink, 1)[0]) == HEADER + b"\r\n" + line * 6000
        assert len(relay.records("reception")) == 1


@pytest.mark.parametrize("end", ["cut", "reset", "quit"])
def test_of_chunks_without_a_last_one_nothing_is_kept_and_nothing_lost_Case073_Case079(tmp_path, end):
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path) as relay:
            with Client(relay.smtp_port) as client:
                send_chunks(client, HEADER, b"\r\nbefore\r\n")
                begin(client)
                client.write(chunk(HEADER + b"\r\n" + b"x" * 500_000))
                assert client.reply() == "250 2.0.0 500035 octets received"
                if end == "cut":
                    client.write(b"BDAT 500000 LAST\r\n" + b"y" * 100_000)
                else:
                    client.say({"reset": "RSET", "quit": "QUIT"}[end], 250 if end == "reset" else 221)
                if end == "reset":
                    send_chunks(client, HEADER, b"\r\nbehind\r\n")
            if end != "reset":
                with Client(relay.smtp_port) as client:
                    send_chunks(client, HEADER, b"\r\nbehind\r\n")
            bodies = {of_the_client(message) for message in arrived(sink, 2)}
            assert bodies == {HEADER + b"\r\nbefore\r\n", HEADER + b"\r\nbehind\r\n"}
            patiently(relay.is_empty, 10, "the queue is empty")
            assert len(relay.records("reception")) == 2
        with relay_to(sink, tmp_path) as again:
            assert again.is_empty()
        assert len(sink.store.messages()) == 2


def test_a_large_message_costs_no_more_memory_than_by_data(tmp_path):
    def resident(relay):
        status = open(f"/proc/{relay.process.pid}/status").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    line = b"x" * 998 + b"\r\n"
    content = HEADER + b"\r\n" + line * 50_000
    grown = {}
    for way in ("data", "bdat"):
        folder = tmp_path / way
        folder.mkdir()
        with RawSink(folder / "sink") as sink, relay_to(sink, folder, max_message_size="128Mi") as relay:
            with Client(relay.smtp_port) as client:
                client.send(content=HEADER + b"\r\n" + line * 100)
                arrived(sink, 1)
                before = resident(relay)
                if way == "data":
                    client.send(content=content)
                else:
                    send_chunks(client, content)
            message = arrived(sink, 2, 60)[1]
            assert of_the_client(message) == content
            grown[way] = resident(relay) - before
    # Write buffers of the spool may fill, as in test_delivery; the message itself is nowhere held as a whole.
    assert grown["bdat"] < max(grown["data"] * 1.5, 48), f"MiB more for a message of 50 MB: {grown}"


def test_a_client_of_python_sends_by_it(tmp_path):
    """smtplib has no BDAT of its own; it reads what is offered, and passes on what it is told."""
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port, timeout=20) as client:
            client.ehlo()
            assert client.has_extn("chunking")
            assert client.has_extn("binarymime")
            assert client.mail("a@example.com", ["BODY=8BITMIME"])[0] == client.rcpt("b@example.net")[0] == 250
            client.send(chunk(HEADER + b"\r\n\xff\xfe\r\n", last=True))
            assert client.getreply()[0] == 250
        assert of_the_client(arrived(sink, 1)[0]) == HEADER + b"\r\n\xff\xfe\r\n"


# Each octet, line ends of all kinds, and what looks like a delimiter.
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\r\n--frontier \r--\r\n--frontie\r\n.\r\n\n\r" + bytes(range(255, -1, -1))


def with_attachment(octets):
    """A message as a client writes it that need not encode; what Python's email package would write has no binary part."""
    return (HEADER + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"frontier\"\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n--frontier\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + "Grüße\r\n".encode() +
            b"--frontier\r\nContent-Type: image/png; name=all.png\r\nContent-Transfer-Encoding: binary\r\n"
            b"Content-Disposition: attachment; filename=all.png\r\n\r\n" + octets + b"\r\n--frontier--\r\n")


def attachment_of(message):
    """What Python reads of it, whose lines other programs may rely on."""
    content = of_the_client(message)
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in content.split(b"\r\n"))
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    text, picture = parsed.iter_parts()
    assert not parsed.defects and not text.defects and not picture.defects
    assert parsed["Content-Transfer-Encoding"] == "8bit" and text.get_content() == "Grüße"
    assert picture.get_content_type() == "image/png" and picture["Content-Transfer-Encoding"] == "base64"
    return picture.get_content()


def test_a_binary_attachment_arrives_octet_by_octet(tmp_path):
    content = with_attachment(PICTURE)
    cuts = [[content], [content[i:i + 7] for i in range(0, len(content), 7)],
            [content[:content.find(b"\n--frontier")], content[content.find(b"\n--frontier"):], b""]]
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as client:
        for chunks in cuts:
            send_chunks(client, *chunks, parameter=" BODY=BINARYMIME")
        messages = arrived(sink, len(cuts))
        for message in messages:
            assert attachment_of(message) == PICTURE
            assert "BODY=8BITMIME" in message.entry["mail"]
        for record in relay.records("reception"):
            assert record["size"] == len(of_the_client(messages[0]))


def test_a_large_binary_attachment_arrives_octet_by_octet(tmp_path):
    octets = random.Random(3030).randbytes(3_000_000)
    content = with_attachment(octets)
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as client:
        send_chunks(client, *(content[i:i + 1_000_000] for i in range(0, len(content), 1_000_000)),
                    parameter=" BODY=BINARYMIME")
        assert attachment_of(arrived(sink, 1)[0]) == octets


def test_binary_content_that_comes_otherwise_or_cannot_be_lines_is_refused(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path) as relay, Client(relay.smtp_port) as client:
        begin(client, parameter=" BODY=BINARYMIME")
        client.say("DATA", "503 5.5.1 BINARYMIME comes by BDAT")
        begin(client, parameter=" BODY=BINARYMIME")
        signed = with_attachment(PICTURE).replace(b"multipart/mixed", b"multipart/signed")
        client.write(chunk(signed, last=True))
        assert client.reply() == "554 5.6.3 Binary content can't be converted: it is signed; sign what is encoded"
        send_chunks(client, with_attachment(PICTURE), parameter=" BODY=BINARYMIME")
        assert attachment_of(arrived(sink, 1)[0]) == PICTURE
        assert len(relay.records("reception")) == 1


def test_a_chunk_that_trickles_is_ended_Case080(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, session_idle_timeout="2s") as relay:
        with Client(relay.smtp_port) as client:
            begin(client)
            client.write(b"BDAT 1000 LAST\r\nx")
            assert client.reply() == "421 4.4.2 relay.test Timeout exceeded, closing"
        assert not relay.records("reception")


def test_a_stop_lets_chunks_finish(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, flush_timeout="10s") as relay:
        with Client(relay.smtp_port) as client:
            begin(client)
            client.write(chunk(HEADER))
            assert client.reply().startswith("250")
            relay.signal(15)
            patiently(lambda: relay.get("/readyz")[0] == 503, 10, "it stops")
            client.write(chunk(b"\r\nbody\r\n", last=True))
            assert client.reply().startswith("250 2.0.0 OK queued as ")
            assert client.reply().startswith("421 ")
        assert relay.process.wait(30) == 0
        assert of_the_client(arrived(sink, 1)[0]) == HEADER + b"\r\nbody\r\n"
