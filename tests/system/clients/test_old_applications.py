"""Old applications: they speak before they are greeted, end lines with LF, leave brackets out, know no EHLO. In the allowed
networks they are served as ever, beside those who log in; strangers are held to RFC 5321.

Both telnets and nc send the quick test in tests/e2e/test_quick_test.py. A stranger that speaks first is watched for a moment
only, which unit tests of case 30 show."""

import dataclasses

import pytest
from raw_sink import RawSink
from relay import Client, arrived, relay_to

SENT = [b"Subject: as ever", b"", b"Text,", b"..with a dot", b"and \xe9ight bits"]
KEPT = b"Subject: as ever\r\n\r\nText,\r\n.with a dot\r\nand \xe9ight bits\r\n"
SERVED = ("220", "250", "250", "250", "354", "250", "221")


@dataclasses.dataclass(frozen=True)
class Application:
    """`refused`: the codes that a stranger of its kind gets, from the greeting to its RCPT."""

    refused: tuple = ()
    hello: bytes = b"EHLO old.test"
    mail: bytes = b"MAIL FROM:<old@example.com>"
    rcpt: bytes = b"RCPT TO:<b@example.net>"
    line_end: bytes = b"\r\n"
    speaks_first: bool = False
    is_patient: bool = True  # waits for each reply

    def envelope(self):
        return [line + self.line_end for line in (self.hello, self.mail, self.rcpt)]

    def dialogue(self):
        content = self.line_end.join([*SENT, b"."])
        return self.envelope() + [line + self.line_end for line in (b"DATA", content, b"QUIT")]


SPEAKS_FIRST = {
    "speaks first": Application(speaks_first=True),
    "all at once": Application(hello=b"HELO old", speaks_first=True, is_patient=False),
    "all of it": Application(hello=b"helo 1", mail=b"mail from: old@example.com", rcpt=b"rcpt to: b@example.net",
                             line_end=b"\n", speaks_first=True),
}
WAITS = {
    "bare LF": Application(("220", "500", "500", "500"), line_end=b"\n"),
    "no brackets": Application(("220", "250", "501", "503"), mail=b"MAIL FROM:old@example.com", rcpt=b"RCPT TO:b@example.net"),
    "blanks": Application(("220", "250", "501", "503"), mail=b"MAIL FROM: <old@example.com>", rcpt=b"RCPT TO: <b@example.net>"),
    "HELO only": Application(("220", "250", "250", "530"), hello=b"HELO old"),
}
APPLICATIONS = SPEAKS_FIRST | WAITS


class OldClient(Client):
    """Says what it has to say before the greeting, if anything."""

    def __init__(self, port, early):
        self.early = early
        super().__init__(port, greet=None)

    def reply(self):
        if self.early:
            self.write(self.early)
            self.early = b""
        return super().reply()


def codes(port, application, writes):
    """Of all replies, the greeting's first."""
    count = 0 if not application.speaks_first else 1 if application.is_patient else len(writes)
    with OldClient(port, b"".join(writes[:count])) as client:
        replies = [client.banner] + [client.reply() for _ in range(count)]
        for octets in writes[count:]:
            client.write(octets)
            replies.append(client.reply())
    return tuple(reply[:3] for reply in replies)


@pytest.mark.parametrize("kind", APPLICATIONS)
def test_in_an_allowed_network_it_is_served_without_a_password(tmp_path, secured, kind):
    application = APPLICATIONS[kind]
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **secured.settings) as relay:
        assert codes(relay.smtp_port, application, application.dialogue()) == SERVED
        message, = arrived(sink, 1)
        assert (message.sender, message.recipients) == ("old@example.com", ["b@example.net"])
        ours, _, theirs = message.content.partition(b"Subject:")
        assert b"Subject:" + theirs == KEPT
        protocol = b"SMTP" if application.hello.lower().startswith(b"helo") else b"ESMTP"
        assert b"\r\n\tby relay.test with " + protocol + b" id " in ours


@pytest.mark.parametrize("kind", WAITS)
def test_a_stranger_of_its_kind_is_refused(tmp_path, secured, kind):
    application = WAITS[kind]
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, allowed_networks="10.0.0.0/8",
                                                      **secured.settings) as relay:
        assert codes(relay.smtp_port, application, application.envelope()) == application.refused
