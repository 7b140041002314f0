"""Scripted faults of the raw sink: what goes wrong, at which stage of the dialogue, how often."""

import dataclasses
import threading

STAGES = "connect ehlo helo starttls auth mail rcpt data body end rset noop quit".split()
ACTIONS = "reply drop reset delay early twice flood".split()
# What a flood repeats, behind the code of the reply that is due. Of one line only the beginning has the code.
FLOODS = {"line": (" ", "and so on "), "lines": ("", "{code}-and so on\r\n"), "replies": ("", "{code} and so on\r\n")}

GRAMMAR = """a fault is STAGE[=TEXT]:TIMES:ACTION[:ARGUMENT]
  STAGE   connect (instead of the greeting), ehlo, helo, starttls, auth, mail, rcpt, data, body (after the
          first octets of content), end (of data), rset, noop, quit; with =TEXT only where the line holds TEXT
  TIMES   how many times it happens, or * for always
  ACTION  reply:CODE TEXT   answers with this instead (body: in the middle of content, and closes)
          drop, reset       closes the connection, with FIN or RST
          delay:SECONDS     waits and goes on
          early             (data) says 250 right after 354
          twice             gives the answer two times
          flood:OCTETS FORM sends so many octets, or until the peer closes: one line that does not end, one reply
                            of ever more lines (FORM line, lines; both close behind it), or this answer again and
                            again (replies); in the middle of content with 451
for example end:3:reply:451 4.3.0 later, or rcpt=bad@:*:reply:550 5.1.1 no such user, or body:1:drop"""


@dataclasses.dataclass
class Fault:
    stage: str
    text: str
    left: int | None  # None: always
    action: str
    argument: str

    @staticmethod
    def parse(spec):
        """Reads one fault of GRAMMAR; ValueError says what is wrong with it."""
        parts = spec.split(":", 3)
        if len(parts) < 3:
            raise ValueError(f"{spec!r} is no fault; {GRAMMAR}")
        place, times, action = parts[:3]
        # TEXT may hold a colon only in a reply, which comes last; addresses hold none.
        stage, _, text = place.partition("=")
        argument = parts[3] if len(parts) == 4 else ""
        if stage not in STAGES or action not in ACTIONS or not (times == "*" or times.isdigit()):
            raise ValueError(f"{spec!r} is no fault; {GRAMMAR}")
        if action == "reply" and not argument[:3].isdigit():
            raise ValueError(f"{spec!r}: a reply begins with its code")
        if action == "delay":
            float(argument)
        if action == "flood":
            octets, _, form = argument.partition(" ")
            if not octets.isdigit() or form not in FLOODS:
                raise ValueError(f"{spec!r}: a flood has its octets and its form")
        return Fault(stage, text, None if times == "*" else int(times), action, argument)

    def is_reply(self):
        """Whether a flood has said anything whole, so that the peer may go by it."""
        return self.argument.endswith("replies")

    def flood(self, code):
        """(octets in all, the first ones, what follows again and again) of a flood, `code` being that of the reply due."""
        octets, _, form = self.argument.partition(" ")
        head, again = FLOODS[form]
        return int(octets), (code + head if head else "").encode(), again.format(code=code).encode()


class Faults:
    """The faults still to happen; any thread may take one or add one."""

    def __init__(self, specs=()):
        self._lock = threading.Lock()
        self._faults = [Fault.parse(spec) for spec in specs]

    def add(self, spec):
        with self._lock:
            self._faults.append(Fault.parse(spec))

    def clear(self):
        with self._lock:
            self._faults.clear()

    def left(self):
        """How many faults with a count are still to happen."""
        with self._lock:
            return sum(fault.left or 0 for fault in self._faults)

    def take(self, stage, line=""):
        """The next fault for this stage and command line, counted down; None when all goes well."""
        with self._lock:
            for fault in self._faults:
                if fault.stage != stage or fault.text not in line or fault.left == 0:
                    continue
                if fault.left is not None:
                    fault.left -= 1
                return fault
        return None
