"""The operator is installed by hack/deploy before; each test finds the relay `edge` in order."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import estate  # noqa: E402


@pytest.fixture(autouse=True)
def in_order():
    estate.in_order()
