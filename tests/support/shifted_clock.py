"""A clock that a test sets, for the programs that it starts: what they take for the time of day and for their uptime.

    clock = ShiftedClock(folder)
    clock.set(clock.midnight - 3600)
    with Relay(folder, prefix=clock.prefix) as relay:
        clock.set(clock.midnight + 3600)    # two hours later, for the relay

By Debian's libfaketime, which stands between a program and the C library. A program under AddressSanitizer can't be
started so, nor one with jemalloc: that asks for the time before libfaketime is ready to answer, which allocates first
while jemalloc begins, and both wait. So the program finds the C library under jemalloc's name. What a program's timers
wait for in the kernel takes its time all the same; the clock runs on between two settings. It never goes back behind
the present: what a test makes, such as certificates, is valid from now on.
"""

import pathlib
import time

DAY = 86400
LIBRARY, = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
C_LIBRARY, = pathlib.Path("/lib").glob("*-linux-gnu/libc.so.6")


class ShiftedClock:
    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "clock"
        self.libraries = pathlib.Path(folder) / "libraries"
        self.libraries.mkdir()
        (self.libraries / "libjemalloc.so.2").symlink_to(C_LIBRARY)
        # The first midnight, UTC, that leaves some hours of an evening before it.
        self.midnight = (int(time.time() + 4 * 3600) // DAY + 1) * DAY
        self.set(time.time())

    @property
    def prefix(self):
        return ["env", f"LD_LIBRARY_PATH={self.libraries}", f"LD_PRELOAD={LIBRARY}",
                f"FAKETIME_TIMESTAMP_FILE={self.file}", "FAKETIME_NO_CACHE=1"]

    def set(self, moment):
        """`moment`: seconds since 1970, not before the present."""
        ahead = moment - time.time()
        assert ahead > -1, f"{-ahead} s ago"
        part = self.file.with_suffix(".part")
        part.write_text(f"+{max(ahead, 0):.3f}\n")
        part.rename(self.file)
        self.ahead = ahead

    def now(self):
        return time.time() + self.ahead
