"""A content filter (milter protocol, version 6) that says what it is told, and keeps what it heard.

    with ScriptedMilter() as milter:
        milter.answers["E"] = packet("h", b"X-Seen\\0yes\\0") + packet("c")
"""

import socketserver
import struct
import threading

ALL_ACTIONS = 0x7D  # headers, recipients, sender, quarantine; not the body


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command.encode() + data


class ScriptedMilter:
    def __init__(self, options=0, actions=ALL_ACTIONS):
        """`answers`: {command: octets}; all others get `c`. An answer may be a function of the command's data; None closes the
        connection. `told`: of each connection a list of (command, data)."""
        self.answers = {"O": packet("O", struct.pack(">III", 6, actions, options))}
        self.told = []
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                owner.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def serve(self, connection):
        heard = []
        self.told.append(heard)
        reader = connection.makefile("rb")
        while head := reader.read(4):
            octets = reader.read(struct.unpack(">I", head)[0])
            command, data = chr(octets[0]), octets[1:]
            if command in "DQ":
                continue
            heard.append((command, data))
            answer = self.answers.get(command, packet("c"))
            answer = answer(data) if callable(answer) else answer
            if answer is None:
                return
            connection.sendall(answer)

    def body(self, index=-1):
        return b"".join(data for command, data in self.told[index] if command == "B")

    def settings(self, **fields):
        """As relay.json has it."""
        return {"name": "filter", "host": "127.0.0.1", "port": self.port, **fields}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
