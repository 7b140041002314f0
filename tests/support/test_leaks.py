"""A process that grows is noticed, and one that does not is not."""

import subprocess
import sys

import pytest
from leaks import Watched
from waiting import wait_until

# Grows by what it is told on its standard input, and says when it has.
GROWING = """
import sys, threading, time
kept = []
for line in sys.stdin:
    what = line.strip()
    if what == "memory": kept.append(bytearray(b"x" * (8 << 20)))
    elif what == "less memory": kept.clear()
    elif what == "descriptors": kept.append(open("/dev/null"))
    elif what == "threads": threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    print("done", flush=True)
"""


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", GROWING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.kill()


def tell(process, what):
    process.stdin.write(what + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


@pytest.fixture
def watched(process):
    tell(process, "nothing")
    found = Watched("a process", process.pid, growth=2)
    found.has_warmed_up()
    return found


def test_nothing_is_said_of_a_process_that_stays_as_it_is(watched):
    assert watched.verdict(0) == ""


@pytest.mark.parametrize(("what", "said"), [
    ("memory", "its memory grew from"), ("descriptors", "descriptors, "), ("threads", "2 threads, 1 before")])
def test_growth_is_said(process, watched, what, said):
    tell(process, what)
    assert said in watched.verdict(0)


def test_what_is_given_back_in_time_is_no_growth(process, watched):
    tell(process, "memory")
    assert watched.excess()
    tell(process, "less memory")
    wait_until(lambda: not watched.excess(), 10, "it is given back")
    assert watched.verdict(1) == ""
