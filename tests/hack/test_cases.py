"""docs/cases.md has each of the 146 cases, and docs/security.md and it name tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = (ROOT / "docs/cases.md").read_text()
DOCUMENTS = {"cases": CASES, "security": (ROOT / "docs/security.md").read_text()}
LAST = 146


def defined(root):
    """Names of all tests: Suite.Name of C++, test_... of Python, transcripts and files by their file names."""
    found = set()
    for path in (root / "tests").rglob("*"):
        if path.suffix == ".cpp":
            found |= {f"{suite}.{name}" for suite, name in
                      re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", path.read_text(), re.M)}
        elif path.suffix == ".py":
            found |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)) | {path.name}
        elif path.suffix == ".smtp":
            found.add(path.name)
    return found


def named(text):
    """(name, whether more may follow it) of each test that a document names."""
    pattern = r"\b([A-Z]\w+\.[A-Z]\w+|test_\w+(?:\.py)?|[a-z][a-z0-9.-]*\.smtp)\b(\.\.\.)?"
    return [(name, bool(more)) for name, more in re.findall(pattern, text) if name not in ("NAME.smtp", "CRLF.CRLF")]


def numbers(cell):
    """The cases of a row: `1`, `8, 9, 10` or `2 to 7`."""
    found = []
    for part in cell.split(","):
        first, _, last = (each.strip() for each in part.partition(" to "))
        if not first.isdigit():
            return []
        found += range(int(first), int(last or first) + 1)
    return found


def rows(text):
    """(cases, tests, what they show) of each row of a table of cases."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) >= 3 and (cases := numbers(cells[0])):
            yield cases, cells[1], " ".join(cells[2:])


def test_each_case_has_one_row():
    listed = [case for cases, _, _ in rows(CASES) for case in cases]
    assert sorted(listed) == list(range(1, LAST + 1))


@pytest.mark.parametrize("cases, tests, shows", list(rows(CASES)), ids=lambda each: str(each[0]) if isinstance(each, list) else "")
def test_a_row_names_a_test_or_says_why_there_is_none(cases, tests, shows):
    assert shows, cases
    assert named(tests) or tests in ("the same", "does not apply", "no test yet") or "fuzz" in tests, (cases, tests)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tests_that_it_names_exist(document):
    known = defined(ROOT)
    missing = [name for name, more in named(DOCUMENTS[document])
               if name not in known and not (more and any(each.startswith(name) for each in known))]
    assert not missing


@pytest.mark.parametrize("text, found", [
    ("| 7 | A.B, `x-y.smtp` | shows |", [([7], "A.B, `x-y.smtp`", "shows")]),
    ("| 2 to 4 | the same | shows |", [([2, 3, 4], "the same", "shows")]),
    ("| 8, 10 | x | a | b |", [([8, 10], "x", "a b")]),
    ("| case | test | shows |", []),
    ("|---|---|---|", []),
])
def test_it_reads_a_row(text, found):
    assert list(rows(text)) == found


def test_it_reads_names():
    assert named("Suite.Name/Case001, test_a_b (life), `a-b.smtp`, test_x.py, Suite.Names..., The end. Next") == [
        ("Suite.Name", False), ("test_a_b", False), ("a-b.smtp", False), ("test_x.py", False), ("Suite.Names", True)]
