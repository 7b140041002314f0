"""An address that swallows connections: its queue is full, so the kernel answers none that are new."""

import contextlib
import socket


class BlackHole:
    """with BlackHole() as port: ... nobody can connect to 127.0.0.1, port, nor is told why."""

    def __enter__(self):
        self._open = contextlib.ExitStack()
        hole = self._open.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        for _ in range(4):
            filler = self._open.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        return port

    def __exit__(self, *_):
        self._open.close()
