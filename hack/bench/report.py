"""The table of a run, and the page that keeps it."""

import dataclasses
import pathlib
import statistics
import subprocess
import time


@dataclasses.dataclass
class Sample:
    """One turn. CPU time and memory are None where they are not ours to count."""

    accepted: float  # messages a second
    delivered: float  # messages a second, from the first sent to the last at the sink
    user: float  # microseconds of CPU time a message
    system: float
    peak: float  # MiB
    resumed: float = None  # share of TLS sessions; None without TLS


COLUMNS = (("accepted", "accepted a second"), ("delivered", "delivered a second"), ("user", "user µs a message"),
           ("system", "system µs a message"), ("peak", "peak MiB"))


def spread(samples, field):
    """Median, with minimum and maximum beside it."""
    values = [getattr(sample, field) for sample in samples]
    if None in values:
        return "-"
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def resumption(by_contestant):
    """The line below a table that tells how many TLS sessions were resumed; empty without TLS."""
    shares = []
    for contestant, samples in by_contestant.items():
        resumed = [sample.resumed for sample in samples if sample.resumed is not None]
        if resumed:
            why = f" ({contestant.fresh_sessions})" if contestant.fresh_sessions else ""
            shares.append(f"{contestant.name} {statistics.median(resumed):.1%}{why}")
    return f"TLS sessions resumed: {', '.join(shares)}." if shares else ""


def tables(results, lacking):
    """`results`: {workload: {contestant: [Sample]}}; `lacking`: {(workload, contestant): what it would need}, of those with
    no sample."""
    lines = []
    for workload, by_contestant in results.items():
        lines += [f"### {workload.name}: {workload.meaning}", "",
                  "| | " + " | ".join(title for _, title in COLUMNS) + " | of the direct rate |",
                  "|---" * (len(COLUMNS) + 2) + "|"]
        direct = [statistics.median(sample.delivered for sample in samples)
                  for contestant, samples in by_contestant.items() if contestant.name == "direct"]
        for contestant, samples in by_contestant.items():
            if not samples:
                lines.append(f"| {contestant.name} | {lacking[workload, contestant]} " + "| - " * len(COLUMNS) + "|")
                continue
            delivered = statistics.median(sample.delivered for sample in samples)
            share = f"{delivered / direct[0]:.0%}" if direct else "-"
            lines.append(f"| {contestant.name} | " + " | ".join(spread(samples, field) for field, _ in COLUMNS) +
                         f" | {share} |")
        lines.append("")
        if told := resumption(by_contestant):
            lines += [told, ""]
    return "\n".join(lines)


def machine(shared="source, sink and relay share them"):
    """What the figures were taken on, and who shares its cores."""
    def output(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    processor = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), "unknown")
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    disk = output("findmnt", "--noheadings", "--output", "FSTYPE", "--target", ".")
    return (f"{output('nproc')} cores of {processor}, {memory:.0f} GiB, {disk}, Linux {output('uname', '-r')}; {shared}")


def write(path, text, contestants, given):
    path.parent.mkdir(exist_ok=True)
    programs = "\n".join(f"- **{each.name}**: {each.version()}; before it says 250: {each.durability}" for each in contestants)
    path.write_text(f"""\
# How fast the relay is

`make bench` writes this page: {given.rounds} rounds of about {given.seconds:g} s a turn, on {time.strftime('%Y-%m-%d')}. Medians, with
minimum and maximum in brackets. It is a comparison on one machine, not a promise for another.

- **Machine**: {machine()}
{programs}

{text}""")
