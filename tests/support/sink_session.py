"""One SMTP connection of the raw sink: the receiver's side of RFC 5321, with scripted faults."""

import base64
import binascii
import dataclasses
import select
import socket
import ssl
import struct
import time

END_OF_DATA = b"\r\n.\r\n"
LINE_LIMIT = 65536  # octets; a longer command line ends the connection
FLOOD_CHUNK = 262144  # octets that a flood hands to the kernel at once


class Gone(Exception):
    """The peer has closed, or a fault closes the connection."""


@dataclasses.dataclass(frozen=True)
class Flood:
    """One that has ended. `octets`: what the kernel took, what it and the peer's never handed on among them."""

    stage: str
    octets: int
    seconds: float


class Channel:
    """A socket with buffered reading, and replies that wait until there is nothing more to read."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = bytearray()
        self.replies = bytearray()
        self.tls = None
        self.is_gone = False  # the peer has closed, and what it said before is of no interest

    def read_more(self):
        if self.is_gone:
            raise Gone
        self.flush()
        chunk = self.connection.recv(262144)
        if not chunk:
            raise Gone
        self.buffer += chunk

    def has_more(self):
        """Whether the peer has gone on already, or away."""
        poll = select.poll()  # select() takes no descriptor above 1023
        poll.register(self.connection, select.POLLIN)
        return bool(self.buffer or poll.poll(0))

    def read_line(self):
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LINE_LIMIT:
                raise Gone
            self.read_more()
        line = bytes(self.buffer[: end + 1])
        del self.buffer[: end + 1]
        return line

    def read_content(self, on_first_octets):
        """The octets up to the end of data, with the CRLF before the dot; nothing is taken out or put in."""
        content = bytearray(b"\r\n")  # the line end of DATA begins the end of empty content
        searched = 0
        if not self.buffer:
            self.read_more()
        on_first_octets()
        while (end := content.find(END_OF_DATA, searched)) < 0:
            searched = max(0, len(content) - len(END_OF_DATA) + 1)
            if not self.buffer:
                self.read_more()
            content += self.buffer
            self.buffer.clear()
        self.buffer[:0] = content[end + len(END_OF_DATA) :]
        return bytes(content[2 : end + 2])

    def reply(self, text):
        self.replies += text.encode("utf-8", "surrogateescape") + b"\r\n"

    def flush(self):
        if self.replies:
            self.connection.sendall(self.replies)
            self.replies.clear()

    def flood(self, octets, head, again):
        """Sends `head` and then `again` until all octets are out, or the peer closes; returns how many the kernel took."""
        sent, wave = 0, again * (FLOOD_CHUNK // len(again))
        piece = head + wave
        try:
            self.flush()
            while sent < octets:
                # What the kernel leaves over comes first, so that no line breaks.
                sent += (taken := self.connection.send(piece[: octets - sent]))
                piece = piece[taken:] or wave
        except OSError:
            self.is_gone = True
            self.buffer.clear()
        return sent

    def start_tls(self, context):
        """Returns what came in plain text behind STARTTLS, which is dropped (RFC 3207 section 4.2)."""
        self.flush()
        early = bytes(self.buffer)
        self.buffer.clear()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.tls = self.connection.version()
        return early

    def close(self, hard=False):
        if hard:  # a zero linger time sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self._drain()
        self.connection.close()

    def _drain(self):
        # Unread input would turn the close into an RST, which can overtake our last reply.
        try:
            self.flush()
            self.connection.shutdown(socket.SHUT_WR)
            while select.select([self.connection], [], [], 0.2)[0] and self.connection.recv(65536):
                pass
        except (OSError, ValueError):
            pass


class Session:
    """Reads commands and answers them; `sink` holds the options, the faults and the store."""

    def __init__(self, sink, connection, peer, number):
        self.sink = sink
        self.channel = Channel(connection)
        self.peer = peer
        self.number = number
        self.helo = None
        self.user = None
        self.commands = []
        self.began = None  # when the last MAIL came
        self.is_late = False  # whether the peer did not wait for the last answer
        self.reset()

    def reset(self):
        self.mail = None
        self.recipients = []

    def run(self):
        hard = False
        try:
            self.answer("connect", "", f"220 {self.sink.name} ESMTP raw sink")
            while True:
                self.command(self.channel.read_line())
        except Gone as end:
            hard = bool(end.args)
        except (OSError, ssl.SSLError):
            pass
        finally:
            self.channel.close(hard)
            self.sink.store.session(self)

    def answer(self, stage, line, normal, also=None):
        """Gives the normal reply or the fault scripted for this stage; true when the command was accepted."""
        fault = self.sink.faults.take(stage, line)
        action = fault.action if fault else ""
        if action in ("drop", "reset"):
            self.channel.flush()
            raise Gone(*(["hard"] if action == "reset" else []))
        if action == "delay":
            self.channel.flush()
            time.sleep(float(fault.argument))
        self.is_late = self.channel.has_more()
        reply = fault.argument if action == "reply" else normal
        if action == "flood":
            self.flood(fault, reply[:3])
        else:
            self.channel.reply(reply)
        if action == "twice":
            self.channel.reply(reply)
        if action == "early":
            self.channel.reply("250 2.0.0 already")
        if reply[:1] in "23" and also:
            also()
        return reply

    def flood(self, fault, code):
        began = time.monotonic()
        sent = self.channel.flood(*fault.flood(code))
        self.sink.floods.append(Flood(fault.stage, sent, time.monotonic() - began))
        if not fault.is_reply():
            raise Gone

    def command(self, octets):
        line = octets.decode("utf-8", "surrogateescape").rstrip("\r\n")
        verb, _, rest = line.partition(" ")
        verb = verb.lower()
        shown = "AUTH ***" if verb == "auth" else line
        self.commands.append({"tls": bool(self.channel.tls), "line": shown})
        handler = getattr(self, "on_" + verb, None)
        if handler is None:
            self.channel.reply("500 5.5.2 command not known")
        else:
            handler(line, rest)

    def on_ehlo(self, line, rest):
        offers = [self.sink.name, *self.sink.extensions]
        if self.sink.tls and not self.channel.tls:
            offers.append("STARTTLS")
        if self.sink.offers_auth(bool(self.channel.tls)):
            offers.append("AUTH PLAIN LOGIN")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self.answer("ehlo", line, "\r\n".join(lines), lambda: self.greeted(rest))

    def on_helo(self, line, rest):
        self.answer("helo", line, f"250 {self.sink.name}", lambda: self.greeted(rest))

    def greeted(self, name):
        self.helo = name
        self.reset()

    def on_starttls(self, line, _rest):
        if not self.sink.tls or self.channel.tls:
            self.channel.reply("503 5.5.1 STARTTLS is not offered")
            return
        if self.answer("starttls", line, "220 2.0.0 go ahead").startswith("220"):
            early = self.channel.start_tls(self.sink.tls)
            if early:
                self.commands.append({"tls": False, "line": "(dropped) " + repr(early)})
            self.helo = self.user = None
            self.reset()

    def on_auth(self, line, rest):
        mechanism, _, initial = rest.partition(" ")
        name, password = self.credentials(mechanism.upper(), initial)
        right = self.sink.credentials is not None and (name, password) == self.sink.credentials
        reply = "235 2.7.0 welcome" if right else "535 5.7.8 authentication failed"
        self.answer("auth", line, reply, lambda: setattr(self, "user", name))

    def credentials(self, mechanism, initial):
        if mechanism == "PLAIN":
            parts = (decoded(initial) if initial else self.ask("")).split("\0")
            return tuple(parts[-2:]) if len(parts) == 3 else ("", "")
        if mechanism == "LOGIN":
            name = decoded(initial) if initial else self.ask("Username:")
            return name, self.ask("Password:")
        return "", ""

    def ask(self, prompt):
        self.channel.reply("334 " + base64.b64encode(prompt.encode()).decode())
        return decoded(self.channel.read_line().decode("ascii", "replace").strip())

    def on_mail(self, line, rest):
        if self.sink.require_auth and not self.user:
            self.channel.reply("530 5.7.0 authentication required")
        elif self.helo is None or self.mail is not None:
            self.channel.reply("503 5.5.1 bad sequence of commands")
        else:
            self.began = time.time()
            self.answer("mail", line, "250 2.1.0 ok", lambda: setattr(self, "mail", rest))

    def on_rcpt(self, line, rest):
        if self.mail is None:
            self.channel.reply("503 5.5.1 bad sequence of commands")
        else:
            self.answer("rcpt", line, "250 2.1.5 ok", lambda: self.recipients.append(rest))

    def on_data(self, line, _rest):
        if not self.recipients:
            self.channel.reply("554 5.5.1 no valid recipients")
            return
        if self.answer("data", line, "354 end with a line that holds one dot").startswith("354"):
            content = self.channel.read_content(self.first_octets)
            entry = self.sink.store.message(self, content)
            entry["reply"] = self.answer("end", "", f"250 2.0.0 kept as {entry['id']}")
            entry["unheard"] = self.is_late
            self.sink.store.finished(entry)
            self.reset()

    def first_octets(self):
        fault = self.sink.faults.take("body")
        if fault and fault.action == "delay":
            time.sleep(float(fault.argument))
        elif fault and fault.action == "flood":
            self.flood(fault, "451")
            raise Gone
        elif fault:
            if fault.action == "reply":
                self.channel.reply(fault.argument)
            raise Gone(*(["hard"] if fault.action == "reset" else []))

    def on_rset(self, line, _rest):
        self.answer("rset", line, "250 2.0.0 ok", self.reset)

    def on_noop(self, line, _rest):
        self.answer("noop", line, "250 2.0.0 ok")

    def on_quit(self, line, _rest):
        self.answer("quit", line, "221 2.0.0 bye")
        raise Gone


def decoded(text):
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
