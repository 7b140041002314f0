"""hack/previous/build says what to do where git can't give it the previous version."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """The scripts by themselves, in no clone."""
    shutil.copytree(ROOT / "hack", tmp_path / "hack")
    return tmp_path


def build(tree):
    done = subprocess.run([tree / "hack/previous/build"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout
    assert not (tree / "build/previous/tree").exists()
    return done.stderr


def test_the_previous_version_is_one_commit_in_full():
    lines = [line for line in (ROOT / "hack/previous/commit").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 1 and re.fullmatch(r"[0-9a-f]{40}", lines[0])


def test_a_shallow_clone_is_told_how_to_get_the_commit(tree):
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    said = build(tree)
    assert "this clone has no commit" in said and "git fetch --unshallow" in said


def test_a_tree_without_git_is_told_that_it_needs_a_clone(tree):
    assert "no clone here" in build(tree)
