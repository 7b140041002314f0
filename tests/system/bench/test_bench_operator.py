"""hack/bench/operator runs to its end and fills its table. What the figures are is not asked here."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
# To compile the scaffold takes minutes; the benchmark itself does.
FEW = ["--sizes", "1,3,5", "--rounds", "1", "--secrets", "2", "--seconds", "3", "--edits", "3", "--without-scaffold"]
ROWS = ["memory, 1 SmtpRelay", "memory, 3 SmtpRelays", "memory, 7 SmtpRelays", "start to ready, 1 SmtpRelay",
        "start to ready, 7 SmtpRelays", "growth by 2 unrelated Secrets of 1 MB",
        "an edit until its DaemonSet's PATCH, p99, 3 SmtpRelays at rest",
        "an edit until its DaemonSet's PATCH, p99, in a cold start of 3", "CPU of a reconcile that finds nothing to do",
        "3 new SmtpRelays until all children are there, 100 writes a second",
        "writes at rest but for the Lease", "watch connections", "CPU at rest, 3 SmtpRelays",
        "all listed anew after 410, 7 SmtpRelays", "writes then", "another leads after a crash",
        "another leads after a regular end"]


def bench(*arguments, seconds=900):
    return subprocess.run([ROOT / "hack/bench/operator", *arguments], capture_output=True, text=True, timeout=seconds)


def test_each_row_is_measured():
    done = bench(*FEW)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = dict(re.findall(r"^\| ([^|]+) \| <= [\d.,]+ ?\S* \| ([\d.,e+-]+) ?\S* \| (?:reached|\*\*missed)", done.stdout, re.M))
    assert sorted(table) == sorted(ROWS)
    assert table["writes then"] == "0"
    assert table["writes at rest but for the Lease"] == "0"


def test_what_makes_no_sense_is_refused():
    done = bench("--sizes", "5,1,9", seconds=30)
    assert done.returncode == 2
    assert "'5,1,9' is not three growing numbers" in done.stderr
