"""What the raw sink keeps, and how tests read it: messages with their octets, and the commands.

A folder holds `messages.jsonl` (one line a message: id, began (when its MAIL came), time (when its end did), peer,
connection, helo, tls, user, mail, rcpt, size, reply, unheard: whether the peer went on or away before it had the reply);
for each message ID.raw (the octets between the reply to DATA and the final dot's line, dots stuffed as they
came); and `sessions.jsonl` (one line a closed connection: its commands in order, credentials left out).
"""

import dataclasses
import json
import os
import pathlib
import re
import threading
import time


@dataclasses.dataclass
class Message:
    """A message as it came; `accepted` tells whether it was answered with 2yz."""

    id: str
    raw: bytes
    entry: dict

    @property
    def accepted(self):
        return self.entry["reply"].startswith("2")

    @property
    def content(self):
        """The octets with the dots taken out again (RFC 5321 4.5.2)."""
        return re.sub(rb"(\A|\r\n)\.", rb"\1", self.raw)

    @property
    def sender(self):
        return address(self.entry["mail"])

    @property
    def recipients(self):
        return [address(each) for each in self.entry["rcpt"]]


def address(argument):
    """The address in `FROM:<a@b> SIZE=1`, without its brackets."""
    found = re.search(r"<([^>]*)>", argument)
    return found.group(1) if found else argument


class Store:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._count = len(list(self.folder.glob("*.raw")))

    def message(self, session, content):
        """Writes the octets before the reply, so that whatever was answered with 250 is there."""
        with self._lock:
            self._count += 1
            name = f"{self._count:06d}"
        (self.folder / f"{name}.raw").write_bytes(content)
        return {
            "id": name,
            "began": session.began,
            "time": time.time(),
            "peer": session.peer[0],
            "connection": session.number,
            "helo": session.helo,
            "tls": session.channel.tls,
            "user": session.user,
            "mail": session.mail,
            "rcpt": list(session.recipients),
            "size": len(content),
            "reply": "",
            "unheard": False,
        }

    def finished(self, entry):
        self._append("messages.jsonl", entry)

    def session(self, session):
        entry = {"connection": session.number, "peer": session.peer[0], "time": time.time()}
        self._append("sessions.jsonl", entry | {"commands": session.commands})

    def _append(self, name, entry):
        # One write of one line: a reader never sees half of it, save at the end of the file.
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        with self._lock, open(self.folder / name, "a", encoding="ascii") as file:
            file.write(line)

    def messages(self):
        """All messages in the order in which they were answered, refused ones too."""
        return [
            Message(entry["id"], (self.folder / f"{entry['id']}.raw").read_bytes(), entry)
            for entry in read_lines(self.folder / "messages.jsonl")
        ]

    def sessions(self):
        return read_lines(self.folder / "sessions.jsonl")

    def clear(self):
        """Forgets all; also while a sink in another process writes here."""
        for file in self.folder.iterdir():
            if file.suffix == ".jsonl":
                os.truncate(file, 0)


def read_lines(file):
    if not file.exists():
        return []
    whole, _, _ = file.read_text("ascii").rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]
