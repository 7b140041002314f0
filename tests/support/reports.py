"""Reports to senders (RFC 3464), as a mail program reads them."""

import dataclasses
import email
import email.policy


@dataclasses.dataclass
class Report:
    message: email.message.EmailMessage
    explanation: str  # for people
    fields: dict  # of the message
    recipients: list  # for each recipient its fields
    returned: email.message.EmailMessage  # the part with the message or its header; None without one

    @property
    def actions(self):
        """{recipient: what became of it}"""
        return {address(each["final-recipient"]): each["action"] for each in self.recipients}


def is_report(message):
    """Of a message at the raw sink: whether it is one of ours."""
    return message.sender == "" and b"report-type=delivery-status" in message.content


def parse(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert not message.defects, message.defects
    explanation, status, *returned = message.get_payload()
    assert explanation.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    groups = [{name.lower(): str(value) for name, value in group.items()} for group in status.get_payload()]
    groups = [group for group in groups if group]
    assert len(returned) <= 1
    return Report(message, explanation.get_content(), groups[0], groups[1:], returned[0] if returned else None)


def address(typed):
    """The address in `rfc822; a@example.com`."""
    kind, _, text = typed.partition(";")
    assert kind in ("rfc822", "utf-8"), typed
    return text.strip()
