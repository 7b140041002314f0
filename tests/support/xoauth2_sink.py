"""A raw sink that takes XOAUTH2 alone, with the tokens that it is told are good."""

import base64
import binascii

from raw_sink import RawSink
from sink_session import Session

REFUSAL = base64.b64encode(b'{"status":"400","schemes":"Bearer"}').decode()


class Xoauth2Sink(RawSink):
    """`is_good(user, token)` decides; `tokens` are all that came."""

    def __init__(self, folder, is_good, **options):
        super().__init__(folder, credentials=("", ""), require_auth=True, **options)
        self.is_good, self.tokens = is_good, []

    def serve(self, connection, peer):
        Xoauth2Session(self, connection, peer, next(self._numbers)).run()


class Xoauth2Session(Session):
    def on_ehlo(self, line, rest):
        offers = [self.sink.name, *self.sink.extensions]
        offers.append("AUTH XOAUTH2" if self.channel.tls else "STARTTLS")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self.answer("ehlo", line, "\r\n".join(lines), lambda: self.greeted(rest))

    def on_auth(self, line, rest):
        mechanism, _, initial = rest.partition(" ")
        user, token = parsed(initial) if mechanism.upper() == "XOAUTH2" else ("", "")
        self.sink.tokens.append(token)
        if self.sink.is_good(user, token):
            self.answer("auth", line, "235 2.7.0 welcome", lambda: setattr(self, "user", user))
            return
        # The error is a challenge, to be answered with an empty line before the refusal itself.
        self.channel.reply("334 " + REFUSAL)
        self.channel.read_line()
        self.answer("auth", line, "535 5.7.8 token is not good")


def parsed(initial):
    """(user, token) of `user=USER^Aauth=Bearer TOKEN^A^A` in base64."""
    try:
        fields = base64.b64decode(initial, validate=True).decode().split("\1")
    except (binascii.Error, ValueError):
        return "", ""
    if len(fields) != 4 or fields[2:] != ["", ""]:
        return "", ""
    return fields[0].removeprefix("user="), fields[1].removeprefix("auth=Bearer ")
