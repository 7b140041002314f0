#!/usr/bin/env python3
"""Prints the certificate that a relay shows to a client that asks for TLS, in PEM; fails where it does not verify.

  shown_certificate.py HOST PORT CA [--implicit]      TLS before the greeting
"""

import smtplib
import ssl
import sys


def connected(host, port, context, is_implicit):
    if is_implicit:
        return smtplib.SMTP_SSL(host, port, local_hostname="client.mail.test", timeout=10, context=context)
    smtp = smtplib.SMTP(host, port, local_hostname="client.mail.test", timeout=10)
    smtp.starttls(context=context)
    return smtp


def main(host, port, authorities, implicit=None):
    with connected(host, int(port), ssl.create_default_context(cafile=authorities), implicit is not None) as smtp:
        print(ssl.DER_cert_to_PEM_cert(smtp.sock.getpeercert(binary_form=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
