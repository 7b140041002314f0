"""Waiting for something that takes a while, with a failure that says what was seen last."""

import os
import subprocess
import time

# Deadlines say what a plain program needs on a machine with little else to do; one with a sanitizer is so many times slower.
PATIENCE = float(os.environ.get("PATIENCE", "1"))


def wait_until(predicate, seconds, what, every=0.2):
    """Returns the predicate's first true value, of at most PATIENCE times so many seconds. An exception of the predicate counts as
    "not yet".

    Fails with `what`, the time waited and the last value or exception.
    """
    limit = seconds * PATIENCE
    end = time.monotonic() + limit
    while True:
        try:
            seen = predicate()
            if seen:
                return seen
        except (AssertionError, LookupError, OSError, ValueError, subprocess.SubprocessError) as error:
            seen = described(error)
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit:g} s: {what}; seen last: {seen!r}")
        time.sleep(every)


def stays_true(predicate, seconds, what, every=0.5):
    """Fails as soon as the predicate is no longer true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert predicate(), f"no longer true: {what}"
        time.sleep(every)


def stays_empty(observe, seconds, what, every=0.5):
    """Fails as soon as something is observed, and shows it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = observe()
        assert not found, f"no longer true: {what}: {found}"
        time.sleep(every)


def described(error):
    output = getattr(error, "stderr", None)
    return f"{error} {output.strip()}" if output else repr(error)
