#!/usr/bin/env python3
"""Prints the certificate that a relay shows to a client that asks for TLS, in PEM; fails where it does not verify.

  shown_certificate.py HOST PORT CA
"""

import smtplib
import ssl
import sys


def main(host, port, authorities):
    with smtplib.SMTP(host, int(port), local_hostname="client.mail.test", timeout=10) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=authorities))
        print(ssl.DER_cert_to_PEM_cert(smtp.sock.getpeercert(binary_form=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
