"""hack/fuzz names its targets, and tells what their logs say. Fuzzing itself is a stage of hack/test."""

import re
import subprocess

import pytest
from test_checks import HACK

ROOT = HACK.parent
DONE = """INFO: Seed: 1
#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb
#900\tNEW    cov: 1290 ft: 4595 corp: 300/9Kb lim: 100 exec/s: 450 rss: 40Mb L: 7/9 MS: 1 EraseBytes-
#1234567\tDONE   cov: 1291 ft: 4600 corp: 301/9Kb lim: 100 exec/s: 685 rss: 40Mb
###### Recommended dictionary. ######
Done 1234567 runs in 1801 second(s)
"""
BROKEN = """#900\tNEW    cov: 12 ft: 13 corp: 3/9b lim: 100 exec/s: 450 rss: 40Mb L: 7/9 MS: 1 EraseBytes-
==7==ERROR: AddressSanitizer: heap-buffer-overflow
artifact_prefix='build/fuzz/artifacts/milter-'; Test unit written to build/fuzz/artifacts/milter-crash-0a1b
"""


def run(*arguments):
    return subprocess.run([HACK / "fuzz", *arguments], capture_output=True, text=True, timeout=30)


def sources():
    return sorted(path.stem for path in (ROOT / "tests/fuzz").glob("*.cpp"))


def test_each_target_is_listed_with_what_it_reads():
    lines = run("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sources()
    assert all(len(line.split()) > 1 for line in lines)


def test_each_target_is_built_and_begins_with_inputs_that_are_kept():
    built = re.findall(r"^fuzz_target\((\w+)", (ROOT / "tests/fuzz/targets.cmake").read_text(), re.M)
    assert built == sources()
    for name in built:
        assert len(list((ROOT / "tests/fuzz/corpus" / name).iterdir())) > 3, name


def test_the_table_tells_what_ended_what_broke_and_what_was_not_run(tmp_path):
    (tmp_path / "command_line.log").write_text(DONE)
    (tmp_path / "milter.log").write_text(BROKEN)
    (tmp_path / "settings.log").write_text(DONE.rsplit("Done", 1)[0])
    lines = run("--table", tmp_path).stdout.splitlines()
    assert lines[:2] == ["| target | executions | coverage (edges / features) | minutes | found |", "|---|---|---|---|---|"]
    rows = {line.split(" | ")[0].strip("| "): line for line in lines[2:]}
    assert list(rows) == sources()
    assert rows["command_line"] == "| command_line | 1,234,567 | 1,291 / 4,600 | 30.0 | nothing |"
    assert rows["milter"] == "| milter | did not end | 12 / 13 | | milter-crash-0a1b |"
    assert rows["settings"] == "| settings | did not end | 1,291 / 4,600 | | ? |"
    assert rows["proxy_header"] == "| proxy_header | not run | | | |"


@pytest.mark.parametrize("arguments, words", [
    (["nonsense"], "there is no target 'nonsense'"),
    (["0"], "a target needs a second at least"),
    (["--table", "/nowhere"], "there is no folder /nowhere"),
], ids=["target", "seconds", "folder"])
def test_nonsense_is_refused(arguments, words):
    done = run(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
