"""The smarthost of the local cluster: what lies in its mailbox, and whom it lets in."""

import dataclasses
import email
import email.policy
import shutil

from cluster import DATA

FOLDER = DATA / "peers" / "smarthost"
INBOX = FOLDER / "mail" / "inbox"
PASSWORDS = FOLDER / "exim4" / "passwd"


@dataclasses.dataclass
class Delivery:
    """One message for one recipient."""

    sender: str
    recipient: str
    message: email.message.EmailMessage
    raw: bytes


def deliveries():
    """Everything in the mailbox, in the order of delivery; Exim writes one file for each recipient."""
    found = []
    for file in sorted((INBOX / "new").glob("*"), key=lambda file: (file.stat().st_mtime_ns, file.name)):
        raw = file.read_bytes()
        message = email.message_from_bytes(raw, policy=email.policy.default)
        sender = str(message["Return-path"]).strip("<>")
        found.append(Delivery(sender, str(message["Envelope-to"]), message, raw))
    return found


def clear():
    """Empties the mailbox."""
    for file in (INBOX / "new").glob("*"):
        file.unlink()


def is_empty():
    """Whether all that it has taken is in the mailbox."""
    return not any((FOLDER / "spool/exim4/input").rglob("*-H"))


def credentials():
    """The (user, password) that is let in."""
    user, _, password = PASSWORDS.read_text().splitlines()[0].partition(":")
    return user, password


def set_credentials(user, password):
    """Lets in this user and nobody else, from the next attempt on."""
    assert not set(user + password) & set("\r\n") and ":" not in user
    part = PASSWORDS.with_suffix(".part")
    part.write_text(f"{user}:{password}\n")
    shutil.copystat(PASSWORDS, part)
    shutil.chown(part, PASSWORDS.stat().st_uid, PASSWORDS.stat().st_gid)
    part.rename(PASSWORDS)
