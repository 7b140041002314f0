"""Deadlines of tests."""

import pytest
import waiting
from waiting import wait_until


def test_a_deadline_is_so_many_times_patience_and_its_failure_says_what_was_seen(monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE", 0.001)
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: a sunrise; seen last: 0"):
        wait_until(lambda: 0, 100, "a sunrise", every=0)


def test_what_fails_meanwhile_counts_as_not_yet():
    answers = iter([OSError("refused"), ValueError("half an answer"), 42])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer
    assert wait_until(ask, 20, "an answer", every=0) == 42
