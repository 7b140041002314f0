#!/usr/bin/env python3
"""An SMTP server that keeps the octets of every message exactly as they came, and fails where it is told to.

From Python:
    with RawSink(folder) as sink:
        sink.faults.add("end:1:reply:451 4.3.0 later")
        ... deliver to 127.0.0.1, sink.port ...
        sink.store.messages()
"""

import argparse
import itertools
import signal
import socketserver
import ssl
import sys
import threading

import faults as fault_script
from faults import Faults
from sink_session import Session
from sink_store import Store

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 104857600", "ENHANCEDSTATUSCODES")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512
    sink = None

    def finish_request(self, request, client_address):
        self.sink.serve(request, client_address)

    def shutdown_request(self, request):
        pass  # the session has closed it, or its TLS successor

    def handle_error(self, request, client_address):
        print(f"session with {client_address[0]}: {sys.exc_info()[1]!r}", file=sys.stderr, flush=True)


class RawSink:
    def __init__(self, folder, listen=(("127.0.0.1", 0),), name="sink.test", tls=None, credentials=None,
                 require_auth=False, auth_offer="tls", extensions=EXTENSIONS, specs=()):
        """`tls`: (certificate, key) files; `credentials`: (user, password); `auth_offer`: when it is offered,
        which is tls, always, or before-tls (in plain text alone, as an attacker in the middle would)."""
        self.name = name
        self.extensions = extensions
        self.credentials = credentials
        self.require_auth = require_auth
        self.auth_offer = auth_offer
        self.faults = Faults(specs)
        self.floods = []  # of sink_session.Flood: those that have ended
        self.store = Store(folder)
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self._numbers = itertools.count(1)
        self.servers = [Server(address, None) for address in listen]
        for server in self.servers:
            server.sink = self

    @property
    def port(self):
        return self.servers[0].server_address[1]

    def offers_auth(self, encrypted):
        if self.credentials is None:
            return False
        return {"always": True, "tls": encrypted, "before-tls": not encrypted}[self.auth_offer]

    def serve(self, connection, peer):
        Session(self, connection, peer, next(self._numbers)).run()

    def start(self):
        for server in self.servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def host_and_port(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def arguments():
    parser = argparse.ArgumentParser(
        description="An SMTP server that keeps messages octet by octet.", epilog=fault_script.GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--store", required=True, help="the folder for messages; see sink_store.py for what is in it")
    add("--listen", action="append", type=host_and_port, metavar="HOST:PORT", help="port 0: one that is free")
    add("--name", default="sink.test", help="the name in the greeting")
    add("--tls-cert", help="offers STARTTLS with this certificate")
    add("--tls-key")
    add("--auth", metavar="USER:PASSWORD", help="offers AUTH PLAIN and LOGIN")
    add("--auth-offer", choices=("tls", "always", "before-tls"), default="tls", help="when AUTH is offered")
    add("--require-auth", action="store_true", help="530 to MAIL without AUTH")
    add("--hide", action="append", default=[], metavar="EXTENSION", help="does not offer this one")
    add("--fault", action="append", default=[], metavar="FAULT", help="see below; may be given several times")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        sink = RawSink(
            options.store,
            listen=options.listen or [("127.0.0.1", 0)],
            name=options.name,
            tls=(options.tls_cert, options.tls_key) if options.tls_cert else None,
            credentials=tuple(options.auth.split(":", 1)) if options.auth else None,
            require_auth=options.require_auth,
            auth_offer=options.auth_offer,
            extensions=[each for each in EXTENSIONS if each.split()[0] not in options.hide],
            specs=options.fault,
        )
    except (OSError, ValueError) as fault:
        sys.exit(f"raw_sink: {fault}")
    with sink:
        for server in sink.servers:
            print("listening on {}:{}".format(*server.server_address[:2]), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
