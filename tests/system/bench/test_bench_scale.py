"""hack/bench/scale runs to its end and fills its table. What the figures are is not asked here."""

import pathlib
import re
import subprocess

import sessions
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCALE = ROOT / "hack/bench/scale"
FEW = ["--quick", "--connections", "200", "--messages", "3000", "--turn", "200", "--seconds", "3", "--rate", "100"]
ROWS = ["memory of 200 connections that are idle behind EHLO",
        "memory of 200 connections that are idle behind a message of 4 KB each",
        "memory while 3,000 messages come in, at most", "memory with 3,000 queued messages, behind a restart",
        "first 250 behind a restart with 3,000 queued messages", "first 250 behind a crash with 3,000 queued messages",
        "throughput is less beside 3,000 queued messages by",
        *[f"from accepted to delivered beside a slow destination, {share}" for share in ("p50", "p95", "p99")],
        "memory of a message of 50 MiB", "each further at the same time, up to 4"]
SHARDS = [f"{workload}, shards {number}" for workload in ("4k-kept", "4k-new") for number in (1, 2, 4)]


def scale(*arguments, seconds=900):
    return subprocess.run([SCALE, *arguments], capture_output=True, text=True, timeout=seconds)


def test_each_figure_is_measured_and_none_is_judged():
    done = scale(*FEW)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = re.findall(r"^\| ([^|]+) \| <= [\d.,]+ \S+ \| -?[\d.,e+-]+ \S+ \| not judged \|", done.stdout, re.M)
    assert sorted(rows) == sorted(ROWS)
    shards = re.findall(r"^\| ([^|]+) \| [\d.,]+ \([\d.,]+-[\d.,]+\) \| [\d.,]+ \([\d.,]+-[\d.,]+\) \|$", done.stdout, re.M)
    assert sorted(shards) == sorted(SHARDS)


def folders():
    return sorted((ROOT / "build/bench").glob("scale-*"))


def test_terminated_it_leaves_nothing_behind(tmp_path):
    before = folders()
    output = tmp_path / "output"
    with output.open("w") as file:
        running = subprocess.Popen([SCALE, "--figure", "million", "--messages", "100000", "--rounds", "1", "--turn", "100"],
                                   stdout=file, stderr=file, start_new_session=True)
    try:
        wait_until(lambda: "messages to 1,000 destinations" in output.read_text(), 120, "messages are being sent")
        # The bench itself, its senders, the relay and the sink.
        wait_until(lambda: len(sessions.of_session(running.pid)) >= 5, 20, "all of them run", every=0.05)
        running.terminate()
        assert running.wait(60) == 128 + 15
    finally:
        running.kill()
        running.wait()
    wait_until(lambda: not sessions.of_session(running.pid), 10, "nothing of it runs")
    assert folders() == before


def test_too_little_disk_is_told_before_anything_is_sent():
    done = scale("--figure", "million", "--messages", "1000000000000")
    assert done.returncode == 1
    assert "1,000,000,000,000 messages take up to" in done.stderr
    assert "make room, or take fewer with --messages" in done.stderr


def test_what_makes_no_sense_is_refused():
    for arguments, words in ((["--messages", "none"], "'none' is not a whole number above zero"),
                             (["--rate", "0"], "'0' is not a whole number above zero"),
                             (["--figure", "best"], "invalid choice: 'best'"),
                             (["--write", "--quick"], "--write is for the whole page")):
        done = scale(*arguments, seconds=30)
        assert done.returncode == 2, arguments
        assert words in done.stderr
