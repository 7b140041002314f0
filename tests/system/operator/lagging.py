"""An API server that lags: a proxy before the real one, with what Sieve (github.com/sieve-project/sieve) does to controllers.

Writes, and reads of single objects, go to the real server, as they go to etcd there. Lists and watches come from a cache,
and that is where an API server may be behind: here they can begin with a remembered state, be held up, and lose an event.
"""

import contextlib
import http.client
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from world import CORE, DAEMON_SETS, RELAYS

COLLECTIONS = (RELAYS, DAEMON_SETS, *(f"{CORE}/{kind}" for kind in ("configmaps", "serviceaccounts", "services", "secrets", "pods")))
METADATA = "PartialObjectMetadata"
END = {"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}}


class LaggingServer:
    """Its port is for clients with a token: TLS ends here."""

    def __init__(self, plane):
        self.plane = plane
        self.remembered = {}  # {collection: list}: what new watches begin with
        self.served = []  # collections of which the remembered state was given out
        self.dropped = []
        self._held, self._unwanted = set(), None
        self._streams, self._lock = set(), threading.Lock()
        self._moves_on = threading.Event()
        self._moves_on.set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pki = plane.pki.folder
        context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"lagging": self}))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def remember(self, *kinds):
        """From now on new watches of these kinds, or of all, begin with what there is at this moment, and tell nothing more
        until move_on()."""
        self._moves_on.clear()
        self.remembered = {path: self.plane.api.get(path) for path in COLLECTIONS if not kinds or path.rsplit("/", 1)[1] in kinds}

    def hold(self, *kinds):
        """Events of these kinds stay here until move_on()."""
        self._moves_on.clear()
        self._held = set(kinds)

    def move_on(self):
        """Tells all that happened since."""
        self._held = set()
        self._moves_on.set()

    def drop(self, kind, event, name, generation=None):
        """The next event of this type about this object, and this generation of it, is lost on watches of whole objects."""
        self._unwanted = (kind, event, name, generation)

    def expire(self):
        """Ends all watches; each has to begin anew, from a version that is gone."""
        self.remembered = {}
        with self._lock:
            for stream in self._streams:
                stream.is_expired = True
                with contextlib.suppress(OSError):
                    stream.upstream.sock.shutdown(2)

    def close(self):
        self.move_on()
        self._server.shutdown()
        self._server.server_close()

    def has_fallen_behind(self, kind):
        return kind in self._held

    def wait_to_move_on(self):
        self._moves_on.wait()

    def is_lost(self, kind, event):
        metadata = event["object"].get("metadata", {})
        with self._lock:
            if not self._unwanted or (kind, event["type"], metadata.get("name")) != self._unwanted[:3]:
                return False
            if self._unwanted[3] not in (None, metadata.get("generation")):
                return False
            self._unwanted = None
            self.dropped.append(event)
            return True

    def keep(self, stream):
        with self._lock:
            self._streams.add(stream)


class _Stream:
    """One watch of a client's, with the connection that feeds it."""

    def __init__(self, upstream):
        self.upstream, self.is_expired = upstream, False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lagging = None

    def log_message(self, *_):
        pass

    def _serve(self):
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if self.command == "GET" and query.get("watch"):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._watch(parts.path, query)
            self.close_connection = True
        else:
            self._pass()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _wants_metadata(self):
        return METADATA in self.headers["Accept"]

    def _ask(self, target, body=None):
        pki = self.lagging.plane.pki.folder
        upstream = http.client.HTTPSConnection("127.0.0.1", self.lagging.plane.api_port, timeout=700,
                                               context=ssl.create_default_context(cafile=pki / "ca.crt"))
        named = {name: self.headers[name] for name in ("Authorization", "Accept", "Content-Type") if name in self.headers}
        upstream.request(self.command, target, body, named)
        # The connection lets its socket go when the answer ends it.
        return upstream, upstream.getresponse()

    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        upstream, answer = self._ask(self.path, body)
        with contextlib.closing(upstream):
            octets = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Retry-After"):
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def _watch(self, path, query):
        kind = path.rsplit("/", 1)[1]
        begins = query.get("sendInitialEvents") == "true"
        if begins and path in self.lagging.remembered:
            self._begin_stream()
            query = self._tell_remembered(path, kind, query)
            self.lagging.wait_to_move_on()
            return self._follow(path, kind, query)
        upstream, answer = self._ask(f"{path}?{urlencode(query)}")
        if answer.status != 200:
            octets = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            return self.wfile.write(octets)
        self._begin_stream()
        return self._relay(upstream, answer, kind)

    def _tell_remembered(self, path, kind, query):
        """Returns the query of a watch that goes on from there."""
        found = self.lagging.remembered[path]
        wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if "=" in pair)
        bare = self._wants_metadata()
        for item in found["items"]:
            if wanted.items() <= item["metadata"].get("labels", {}).items():
                described = {"kind": METADATA, "apiVersion": "meta.k8s.io/v1"} if bare else {
                    "kind": found["kind"].removesuffix("List"), "apiVersion": found["apiVersion"]}
                self._tell("ADDED", {**described, **({"metadata": item["metadata"]} if bare else item)})
        version = found["metadata"]["resourceVersion"]
        self._tell("BOOKMARK", {"metadata": {**END["metadata"], "resourceVersion": version}})
        self.lagging.served.append(kind)
        later = {name: value for name, value in query.items() if name not in ("sendInitialEvents", "resourceVersionMatch")}
        return {**later, "resourceVersion": version}

    def _follow(self, path, kind, query):
        upstream, answer = self._ask(f"{path}?{urlencode(query)}")
        assert answer.status == 200, answer.read()
        self._relay(upstream, answer, kind)

    def _relay(self, upstream, answer, kind):
        """Passes events on, one a line, until either end has had enough."""
        stream = _Stream(upstream)
        self.lagging.keep(stream)
        with contextlib.closing(upstream), contextlib.suppress(OSError, http.client.HTTPException):
            while line := answer.readline():
                if self.lagging.has_fallen_behind(kind):
                    self.lagging.wait_to_move_on()
                if self._wants_metadata() or not self.lagging.is_lost(kind, json.loads(line)):
                    self._write(line)
        if stream.is_expired:
            self._tell("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})
        self._write(b"")

    def _begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _tell(self, event, described):
        self._write(json.dumps({"type": event, "object": described}).encode() + b"\n")

    def _write(self, octets):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(octets), octets))
        self.wfile.flush()
