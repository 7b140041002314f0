"""What a process takes of the machine, as the kernel counts it."""

import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")


class Gauge:
    """One process, by its pid. All fail with OSError once it has ended."""

    def __init__(self, pid):
        self.folder = pathlib.Path("/proc") / str(pid)

    def resident(self):
        """MiB in memory, of files that are mapped too."""
        return self._status("VmRSS") / 1024

    def anonymous(self):
        """MiB of it that are the process's own: heap, stacks, what relocations changed."""
        return self._status("RssAnon") / 1024

    def proportional(self):
        """MiB in memory; of what it shares with other processes its share."""
        for line in (self.folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        raise OSError(f"{self.folder} has no Pss: the process has ended")

    def peak(self):
        """MiB in memory at most so far."""
        return self._status("VmHWM") / 1024

    def threads(self):
        return self._status("Threads")

    def descriptors(self):
        return len(os.listdir(self.folder / "fd"))

    def cpu(self):
        """Seconds of CPU time of all its threads so far, to the hundredth."""
        # The second field is the name in brackets, which may hold blanks.
        fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _status(self, field):
        for line in (self.folder / "status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise OSError(f"{self.folder} has no {field}: the process has ended")
