"""docs/operator-behaviour.md names tests that exist, and no row is without one or without what it waits for; docs/operator.md
has every reason of a condition."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/operator-behaviour.md"


def rows(text):
    """(situation, tests, what it waits for) of each row of the table."""
    found = []
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith("| situation |"):
            continue
        situation, _, tests, waits_for = (cell.strip() for cell in line.strip().strip("|").split("|"))
        found.append((situation, re.findall(r"`([^`]+::[^`]+)`", tests), waits_for))
    return found


def defines(text, suffix, name):
    """Whether a file of tests has a test of this name."""
    if suffix == ".py":
        return re.search(rf"^def {re.escape(name)}\(", text, re.M) is not None
    suite, _, test = name.partition(".")
    return re.search(rf"^TEST(_F|_P)?\(\s*{re.escape(suite)},\s*{re.escape(test)}\s*\)", text, re.M) is not None


ROWS = rows(DOCUMENT.read_text())


def test_every_situation_is_there_once():
    situations = [situation for situation, _, _ in ROWS]
    assert len(situations) == len(set(situations)) and len(situations) >= 29


@pytest.mark.parametrize("situation, tests, waits_for", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_exist_or_what_it_waits_for(situation, tests, waits_for):
    assert tests or waits_for, situation
    for test in tests:
        file, _, name = test.partition("::")
        path = ROOT / "tests" / file
        assert path.exists(), f"{file} does not exist"
        assert defines(path.read_text(), path.suffix, name), f"{file} has no test {name}"


@pytest.mark.parametrize("text, suffix, name, is_there", [
    ("def test_a(x):\n", ".py", "test_a", True),
    ("def test_ab(x):\n", ".py", "test_a", False),
    ("# def test_a():\n", ".py", "test_a", False),
    ("TEST_F(Suite, Name) {\n", ".cpp", "Suite.Name", True),
    ("TEST(Suite, Name) {}\n", ".cpp", "Suite.Name", True),
    ("// TEST(Suite, Name)\n", ".cpp", "Suite.Name", False),
    ("TEST(Suite, Names) {}\n", ".cpp", "Suite.Name", False),
])
def test_it_tells_a_test_from_its_like(text, suffix, name, is_there):
    assert defines(text, suffix, name) == is_there


def test_it_reads_a_row():
    text = "| situation | what | proved by | waits for |\n|---|---|---|---|\n| A | b | `x.py::test_y`, `z.cpp::S.N` | c |\n| B | b | | |\n"
    assert rows(text) == [("A", ["x.py::test_y", "z.cpp::S.N"], "c"), ("B", [], "")]


# As sources write them: `{"False", "NoNodes", ...}`, or by a constant.
REASON = re.compile(r'"(?:True|False|Unknown)",\s*(?:std::string\()?(?:"([A-Z][A-Za-z]+)"|(k[A-Z][A-Za-z]+)\b)')
CONSTANT = re.compile(r'constexpr std::string_view (k[A-Z][A-Za-z]+) = "([A-Z][A-Za-z]+)"')


def reasons(sources):
    """Of conditions, in some C++."""
    constants = dict(CONSTANT.findall(sources))
    return {reason or constants[constant] for reason, constant in REASON.findall(sources)}


def test_it_reads_reasons():
    text = 'constexpr std::string_view kTaken = "PortTaken";\nreturn {"False", "NoNodes", "none"};\n{"False", std::string(kTaken), x}'
    assert reasons(text) == {"NoNodes", "PortTaken"}


def test_every_reason_of_a_condition_is_documented():
    found = reasons("".join(file.read_text() for file in sorted((ROOT / "operator").rglob("*.?pp"))))
    conditions = (ROOT / "docs/operator.md").read_text().split("\n## Conditions\n")[1].split("\n## ")[0]
    assert len(found) > 35
    assert found - set(re.findall(r"\b[A-Z][A-Za-z]+\b", conditions)) == set()
