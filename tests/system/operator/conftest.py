"""One control plane for all tests of this folder; each test has a namespace's content for itself."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import world  # noqa: E402
from control_plane import ControlPlane  # noqa: E402


@pytest.fixture(scope="session")
def plane(tmp_path_factory):
    plane = ControlPlane(tmp_path_factory.mktemp("operator"))
    try:
        plane.start()
        world.install(plane)
        yield plane
    finally:
        plane.stop()


@pytest.fixture
def mail(plane, tmp_path):
    """The namespace `mail`, empty before and after, and operators to run in it."""
    namespace = world.Mail(plane, tmp_path)
    namespace.clear()
    try:
        yield namespace
    finally:
        namespace.stop_operators()
        namespace.clear()
