#!/usr/bin/env python3
"""Sends one message as a user who logs in over TLS. Prints 250, or the code of the reply that refused login or recipient.

  logged_in.py HOST PORT CA USER SUBJECT      the password on standard input; nothing there: without a login
"""

import smtplib
import ssl
import sys


def main(host, port, authorities, user, subject):
    password = sys.stdin.read()
    with smtplib.SMTP(host, int(port), local_hostname="client.mail.test", timeout=20) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=authorities))
        try:
            if password:
                smtp.login(user, password)
            smtp.sendmail("a@example.com", [f"{subject}@example.net"], f"Subject: {subject}\r\n\r\nby {user}\r\n")
            print(250)
        except smtplib.SMTPRecipientsRefused as refused:
            print(*[code for code, _ in refused.recipients.values()])
        except smtplib.SMTPResponseException as refused:
            print(refused.smtp_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
