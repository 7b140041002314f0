"""Reports of TLS failures (RFC 8460), as who gets them reads them: every field is checked for its shape."""

import dataclasses
import datetime
import email
import email.policy
import gzip
import ipaddress
import json
import re

RESULTS = {  # section 4.3
    "starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
    "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error",
    "sts-policy-invalid", "sts-webpki-invalid",
}
MEDIA_TYPE = "application/tlsrpt+gzip"  # section 6.4


@dataclasses.dataclass
class ReportMail:
    message: email.message.EmailMessage
    explanation: str  # for people
    file_name: str
    report: dict


def is_report(octets):
    return b"\r\nTLS-Report-Domain:" in octets.partition(b"\r\n\r\n")[0]


def parse_mail(octets):
    """Section 5.3: a multipart/report with a text and the report as an attachment."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "tlsrpt"
    assert not message.defects, message.defects
    explanation, attachment = message.get_payload()
    assert explanation.get_content_type() == "text/plain"
    assert attachment.get_content_type() == MEDIA_TYPE
    assert attachment.get_content_disposition() == "attachment"
    assert attachment["Content-Transfer-Encoding"] == "base64"
    return ReportMail(message, explanation.get_content(), attachment.get_filename(), parse(attachment.get_content()))


def parse(octets):
    """The JSON within gzip, once it has the shape of section 4.4."""
    report = json.loads(gzip.decompress(octets).decode())
    has_fields(report, {"organization-name": str, "date-range": dict, "contact-info": str, "report-id": str,
                        "policies": list})
    has_fields(report["date-range"], {"start-datetime": str, "end-datetime": str})
    for moment in report["date-range"].values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment), moment  # RFC 3339
        datetime.datetime.fromisoformat(moment.rstrip("Z"))
    assert report["policies"]
    for each in report["policies"]:
        check_policy(each)
    return report


def check_policy(each):
    has_fields(each, {"policy": dict, "summary": dict}, {"failure-details": list})
    policy, summary, details = each["policy"], each["summary"], each.get("failure-details", [])
    has_fields(policy, {"policy-type": str, "policy-domain": str}, {"policy-string": list, "mx-host": list})
    assert policy["policy-type"] in ("tlsa", "sts", "no-policy-found")
    assert all(isinstance(line, str) for line in policy.get("policy-string", []) + policy.get("mx-host", []))
    has_fields(summary, {"total-successful-session-count": int, "total-failure-session-count": int})
    assert sum(detail["failed-session-count"] for detail in details) == summary["total-failure-session-count"]
    for detail in details:
        has_fields(detail, {"result-type": str, "failed-session-count": int},
                   {"sending-mta-ip": str, "receiving-mx-hostname": str, "receiving-mx-helo": str, "receiving-ip": str,
                    "additional-information": str, "failure-reason-code": str})
        assert detail["result-type"] in RESULTS and detail["failed-session-count"] > 0
        for field in ("sending-mta-ip", "receiving-ip"):
            ipaddress.ip_address(detail.get(field, "::"))


def has_fields(fields, needed, possible=None):
    kinds = needed | (possible or {})
    assert needed.keys() <= fields.keys() <= kinds.keys(), fields
    for name, value in fields.items():
        assert type(value) is kinds[name], f"{name}: {value!r}"
