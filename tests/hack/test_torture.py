"""hack/torture says what it does, runs what is there, and takes no nonsense."""

import subprocess

import pytest
from test_checks import HACK, load

torture = load("torture")


def run(*arguments):
    return subprocess.run([HACK / "torture", *arguments], capture_output=True, text=True, timeout=30)


def test_each_part_is_explained_and_runs_tests_that_exist():
    help = run("--help").stdout
    for part, files in torture.PARTS.items():
        assert f"\n  {part} " in help
        assert all((HACK.parent / file).exists() for file in files), part


def test_every_test_of_torture_belongs_to_a_part():
    named = {file for files in torture.PARTS.values() for file in files}
    there = {str(path.relative_to(HACK.parent)) for path in (HACK.parent / "tests/torture").glob("test_*.py")}
    assert there <= named


@pytest.mark.parametrize("arguments, words", [
    (["nonsense"], "there is no part 'nonsense'; there are: kills calls"),
    (["--kills", "0"], "--kills 0: one at least"),
    (["--cuts", "-1"], "--cuts -1: one at least"),
    (["--seed", "x"], "invalid int value"),
], ids=["part", "kills", "cuts", "seed"])
def test_nonsense_is_refused(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
