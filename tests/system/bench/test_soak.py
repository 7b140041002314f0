"""A short soak: what is so at its end, as in a long one. hack/soak says for how long."""

import os
import pathlib
import subprocess

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]


def soak(*arguments, seconds=900):
    return subprocess.run([ROOT / "hack/soak", *arguments], capture_output=True, text=True, timeout=seconds)


def test_nothing_grows_and_nothing_is_written_at_rest():
    done = soak("20s", "--warm-up", "10s", "--rest", "5s")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    assert "all is well" in done.stdout
    for what in ("restart_server", "change_leader", "cut_watches", "break_child"):
        assert what in done.stdout, "it happened"


def commands_in(folder):
    """Those of running programs that name the folder."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def test_terminated_it_leaves_nothing_behind(tmp_path):
    with (tmp_path / "output").open("w") as output:
        running = subprocess.Popen([ROOT / "hack/soak", "10m"], stdout=output, stderr=output, env=os.environ | {"TMPDIR": str(tmp_path)})
    try:
        wait_until(lambda: any("smtp-relay-operator" in command for command in commands_in(tmp_path)), 120, "an operator runs")
        running.terminate()
        assert running.wait(120) == 128 + 15
    finally:
        running.kill()
        running.wait()
    assert commands_in(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_what_is_no_duration_is_refused():
    done = soak("ten", seconds=30)
    assert done.returncode == 2
    assert "'ten' is no duration such as 90s, 10m or 24h" in done.stderr
