"""A client of .NET, scripted from what one says: MAIL and RCPT in one write, the content in one chunk of BDAT behind its
command, eight bits declared, no dots added.

S: a reply of the server begins so; C: the client writes this line; lines of C in a row are one write. TLS: the handshake;
CONTENT: the message, in the same write as the command above it.
"""

import base64
import ssl

from relay import Client

TRANSCRIPT = """\
S: 220
C: EHLO [127.0.0.1]
S: 250
C: STARTTLS
S: 220
TLS
C: EHLO [127.0.0.1]
S: 250
C: AUTH PLAIN {login}
S: 235
C: MAIL FROM:<{sender}> SIZE={size} BODY=8BITMIME
C: RCPT TO:<{recipient}>
S: 250
S: 250
C: BDAT {size} LAST
CONTENT
S: 250
C: QUIT
S: 221
"""


def send(target, letter, content):
    login = base64.b64encode(f"\0{target.user}\0{target.password}".encode()).decode()
    script = TRANSCRIPT.format(login=login, sender=letter.sender[1], recipient=letter.recipient[1], size=len(content))
    with Client(target.port, greet=None) as client:
        replies, unsent = [client.banner], b""
        for line in script.splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "C:":
                unsent += rest.encode() + b"\r\n"
            elif kind == "CONTENT":
                unsent += content
            elif kind == "TLS":
                secure(client, target)
            else:
                client.write(unsent)
                unsent = b""
                reply = replies.pop() if replies else client.reply()
                assert reply.startswith(rest), f"{reply} instead of {rest}"


def secure(client, target):
    context = ssl.create_default_context(cafile=target.authority)
    client.connection = context.wrap_socket(client.connection, server_hostname=target.host)
    client.reader = client.connection.makefile("rb")
