"""Tests find the helpers of tests/support, and what they record as `sums` stands at the end of the output."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))


def pytest_terminal_summary(terminalreporter):
    """A line for each, of tests that passed too: a table of results is made of them."""
    lines = [f"{report.nodeid.rpartition('::')[2]}: {value}"
             for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome) if report.when == "call"
             for name, value in report.user_properties if name == "sums"]
    if lines:
        terminalreporter.section("sums")
        for line in lines:
            terminalreporter.line(line)
