"""The message that every client sends: names beyond ASCII, text that a careless way would change, an attachment."""

import dataclasses
import email
import email.header
import email.headerregistry
import email.message
import email.policy
import email.utils


@dataclasses.dataclass(frozen=True)
class Letter:
    """What a reader sees. `text` has LF line ends and none behind its last line, which clients treat differently."""

    sender: tuple  # (name, address)
    recipient: tuple
    subject: str
    text: str
    file_name: str
    octets: bytes


TEXT = "\n".join([
    "Grüße aus München, 東京 und Αθήνα.", ".", ".. two dots, and a dot alone above", ".hidden = 100 % = ?=",
    "From here on nothing may be quoted.", "  blanks in front, and behind  ", "", "A long line, " * 60 + "with an end",
])


def letter(client):
    """The one that this client sends, by an address of its own."""
    return Letter(("Jürgen Müßig, Ñandú GmbH", f"{client}@example.com"), ("田中 太郎", "b@example.net"),
                  "Überweisung für März: 5 €, 日本語 und zurück, und das ist länger als eine Zeile sein soll", TEXT,
                  "Rechnung März 2026 – 請求書.pdf", bytes(range(256)) * 100 + b"\r\n.\r\n")


def octets_of(letter, line_end=b"\r\n"):
    """The letter as a message, for clients that send what they are given. Its text is in eight bits."""
    message = email.message.EmailMessage()
    for field, (name, address) in (("From", letter.sender), ("To", letter.recipient)):
        message[field] = email.headerregistry.Address(name, addr_spec=address)
    message["Subject"] = letter.subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain="example.com")
    message.set_content(letter.text, cte="8bit")
    message.add_attachment(letter.octets, maintype="application", subtype="pdf", filename=letter.file_name)
    return message.as_bytes(policy=email.policy.SMTP).replace(b"\r\n", line_end)


def read(content):
    """The letter in a message, as a mail program shows it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert not message.defects, message.defects
    attachment, = message.iter_attachments()
    text = message.get_body().get_content().replace("\r\n", "\n").rstrip("\n")
    return Letter(person(content, "From"), person(content, "To"), str(message["Subject"]), text,
                  attachment.get_filename(), attachment.get_content())


def person(content, field):
    # Not by the newer parser: Python 3.11's leaves a blank between two encoded words of a name (RFC 2047 section 6.2).
    name, address = email.utils.parseaddr(email.message_from_bytes(content)[field])
    return str(email.header.make_header(email.header.decode_header(name))), address
