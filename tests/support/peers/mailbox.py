"""What a mail server delivered, one file for each recipient in a Maildir."""

import dataclasses
import email
import email.policy
import pathlib
import re

from waiting import wait_until

from .program import STARTS_WITHIN


@dataclasses.dataclass
class Delivery:
    """One message for one recipient. Lines end in LF, as on the disk of a mail server."""

    sender: str  # the envelope's, '' for <>
    recipient: str  # the envelope's
    trace: bytes  # the lines that the server itself wrote in front, the last of which is its Received
    content: bytes  # what was sent to it, all that is behind

    @property
    def message(self):
        return email.message_from_bytes(self.content, policy=email.policy.default)


class Mailbox:
    def __init__(self, folder, recipient_field):
        """`folder`: the Maildir. `recipient_field`: the header field in which its server writes the recipient."""
        self.folder, self.recipient_field = pathlib.Path(folder), recipient_field

    def deliveries(self, recipient=None):
        """In the order of delivery; only those for the recipient if there is one."""
        files = sorted((self.folder / "new").glob("*"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        found = [self._read(file) for file in files]
        return [each for each in found if recipient in (None, each.recipient)]

    def wait_for(self, recipient, count=1, seconds=STARTS_WITHIN):
        """At least `count` deliveries to the recipient. A test uses recipients of its own: the box is everybody's."""
        def arrived():
            found = self.deliveries(recipient)
            return found if len(found) >= count else None
        return wait_until(arrived, seconds, f"{count} messages for {recipient} in {self.folder}", every=0.05)

    def _read(self, file):
        raw = file.read_bytes()
        end = re.search(rb"^Received:.*\n(?:[ \t].*\n)*", raw, re.M).end()
        trace = raw[:end]
        recipient = field(trace, self.recipient_field)
        assert recipient, f"no {self.recipient_field} in {trace}"
        # OpenSMTPD writes no Return-Path where it would be empty.
        return Delivery(field(trace, "Return-path"), recipient, trace, raw[end:])


def field(header, name):
    """An address of a header, '' where the field is not there."""
    found = re.search(rb"^" + name.encode() + rb":[ \t]*(.*)\n", header, re.M | re.I)
    return found[1].decode().strip().strip("<>") if found else ""
