"""hack/bench/run: how much it sends, and what it says of TLS: who has to resume its sessions, and who has a row."""

import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "hack/bench"))

import report  # noqa: E402
from load import WORKLOADS  # noqa: E402
from programs import Direct, Exim, Given, Ours, Postfix, issue_certificate  # noqa: E402

from raw_sink import RawSink  # noqa: E402

STARTTLS = next(workload for workload in WORKLOADS if workload.starttls)
PLAIN = next(workload for workload in WORKLOADS if not workload.starttls)


def run_script():
    loader = importlib.machinery.SourceFileLoader("bench_run", str(ROOT / "hack/bench/run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("delivered, count", [(1234.56, 4938), (1.5, 300)])
def test_a_turn_has_a_whole_number_of_messages_and_enough_of_them(monkeypatch, delivered, count):
    run = run_script()
    monkeypatch.setattr(run, "turn", lambda *_: report.Sample(delivered, delivered, 10, 10, 10, None))
    size = run.size_of_turns(Ours(), PLAIN, 4, 2526)
    assert str(size) == str(count)


def sample(resumed=None):
    return report.Sample(100, 100, 10, 10, 10, resumed)


@pytest.mark.parametrize("contestant", [Ours(), Postfix()])
def test_who_resumes_too_few_sessions_fails(contestant):
    contestant.demand_resumption(0.9)
    contestant.demand_resumption(None)
    with pytest.raises(RuntimeError, match=f"{contestant.name} resumed 89% of its TLS sessions, less than 90%"):
        contestant.demand_resumption(0.89)


@pytest.mark.parametrize("contestant", [Exim(), Given("other", 25)])
def test_who_is_known_to_resume_none_does_not_fail_and_the_table_says_why(contestant):
    contestant.demand_resumption(0.0)
    text = report.tables({STARTTLS: {Postfix(): [sample(0.99)], contestant: [sample(0.0)]}}, {})
    assert f"\nTLS sessions resumed: Postfix 99.0%, {contestant.name} 0.0% ({contestant.fresh_sessions}).\n" in text


def test_without_tls_nothing_is_said_of_sessions():
    assert "TLS" not in report.tables({PLAIN: {Postfix(): [sample()]}}, {})


def test_smtp_sink_has_no_tls_and_so_no_row():
    assert [each.name for each in (Direct(), Ours(), Postfix(), Exim()) if each.takes_part(STARTTLS)] == ["smtp-relay", "Postfix", "Exim"]


def test_a_peer_without_starttls_has_a_row_that_says_so(tmp_path):
    with RawSink(tmp_path) as sink:
        peer = Given("other", sink.port)
        assert peer.lacks(PLAIN) == ""
        lacking = peer.lacks(STARTTLS)
    text = report.tables({STARTTLS: {Postfix(): [sample(0.99)], peer: []}}, {(STARTTLS, peer): lacking})
    assert "\n| other | offers no STARTTLS | - | - | - | - | - |\n" in text
    columns = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert columns == {8}


def test_a_peer_with_starttls_lacks_nothing(tmp_path):
    with RawSink(tmp_path, tls=issue_certificate(tmp_path)) as sink:
        assert Given("other", sink.port).lacks(STARTTLS) == ""
