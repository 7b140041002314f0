"""An https server for a few texts by host and path, as MTA-STS policies are: runs in the test process.

    with HttpsFiles((address, 443), {"mta-sts.sts.test": (certificate, key)}, {(host, path): text}) as files: ...
"""

import http.server
import ssl
import threading

POLICY_PATH = "/.well-known/mta-sts.txt"  # RFC 8461 section 3.2


class HttpsServer:
    """What serves over TLS with a handler; each request is in `requests` as (method, host, path, body)."""

    def __init__(self, address, certificates):
        """`certificates`: (certificate, key), or {host: (certificate, key)} to choose by the name that is asked for."""
        self.requests = []
        self.server = http.server.ThreadingHTTPServer(address, self._handler())
        self.server.daemon_threads = True
        self.server.socket = context_for(certificates).wrap_socket(self.server.socket, server_side=True,
                                                                   do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None  # a client that does not trust the certificate goes away

    def answer(self, method, host, path, headers, body):
        """(status, content type, text, or octets)"""
        raise NotImplementedError

    def _handler(self):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30  # seconds

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                host = self.headers.get("Host", "").rsplit(":", 1)[0]
                owner.requests.append((self.command, host, self.path, body))
                status, kind, text = owner.answer(self.command, host, self.path, self.headers, body)
                content = text if isinstance(text, bytes) else text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        return Handler

    @property
    def port(self):
        return self.server.server_address[1]

    def start(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class HttpsFiles(HttpsServer):
    """`files`: {(host, path): text}; may be changed while it runs. Anything else is not found."""

    def __init__(self, address, certificates, files):
        super().__init__(address, certificates)
        self.files = dict(files)

    def answer(self, method, host, path, headers, body):
        text = self.files.get((host, path))
        return (404, "text/plain", "not here\n") if text is None else (200, "text/plain", text)


def policies(texts):
    """The files of {host: policy of MTA-STS}."""
    return {(host, POLICY_PATH): text for host, text in texts.items()}


def context_for(certificates):
    if not isinstance(certificates, dict):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates)
        return context
    contexts = {host: context_for(pair) for host, pair in certificates.items()}
    first = next(iter(contexts.values()))

    def choose(connection, host, _):
        connection.context = contexts.get(host, first)
    first.sni_callback = choose
    return first
