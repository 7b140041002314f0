#!/usr/bin/env python3
"""Sends numbered messages, one a connection, and repeats each until it is answered with 250: after a refused or
lost connection and after a 4yz, as a mail client does. A 5yz ends it with an error.

  sender.py HOST PORT COUNT PREFIX [--every SECONDS] [--connections N] [--ca FILE | --implicit FILE]

Message i has the subject PREFIX-i. With --ca each goes by STARTTLS, to a certificate that the authorities in the file
signed for HOST; with --implicit TLS comes before the greeting. A line on standard output tells of each that was taken: its subject, the number
of attempts, and the queue id. After SIGTERM no other begins, and it ends when those that had begun are taken.
"""

import argparse
import concurrent.futures
import signal
import smtplib
import ssl
import sys
import threading
import time

PATIENCE = 120  # seconds for one message
RETRY = 0.5


def connected(options):
    if options.implicit:
        context = ssl.create_default_context(cafile=options.implicit)
        return smtplib.SMTP_SSL(options.host, options.port, local_hostname="client.mail.test", timeout=30, context=context)
    return smtplib.SMTP(options.host, options.port, local_hostname="client.mail.test", timeout=30)


def attempt(options, subject):
    with connected(options) as smtp:
        if options.ca:
            smtp.starttls(context=ssl.create_default_context(cafile=options.ca))
        smtp.ehlo_or_helo_if_needed()
        for code, text in (smtp.mail("sender@example.com"), smtp.rcpt(f"{subject}@example.net")):
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
        code, text = smtp.data(f"Subject: {subject}\r\nFrom: sender@example.com\r\n\r\nMessage {subject}.\r\n")
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        return text.decode().rsplit(" ", 1)[1]


def send(options, number, output):
    subject = f"{options.prefix}-{number}"
    end = time.monotonic() + PATIENCE
    for attempts in range(1, 1000):
        try:
            queue_id = attempt(options, subject)
            with output:
                print(subject, attempts, queue_id, flush=True)
            return
        except smtplib.SMTPResponseException as refusal:
            if refusal.smtp_code >= 500 or time.monotonic() > end:
                raise
        except (OSError, smtplib.SMTPException):
            if time.monotonic() > end:
                raise
        time.sleep(RETRY)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("prefix")
    parser.add_argument("--every", type=float, default=0, help="seconds between the beginnings of two messages")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--ca", help="PEM file of the authorities that sign the relay's certificate; without it in clear")
    parser.add_argument("--implicit", help="the same, for a port where TLS comes before the greeting")
    options = parser.parse_args()
    output, stopped = threading.Lock(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with concurrent.futures.ThreadPoolExecutor(options.connections) as pool:
        sent = []
        for number in range(options.count):
            sent.append(pool.submit(send, options, number, output))
            if stopped.wait(options.every):
                break
    failures = [each.exception() for each in sent if each.exception()]
    for failure in failures[:5]:
        print(f"sender: {failure!r}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
