"""The version before this one, as hack/previous/build makes it: a tree of its own, with its programs."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/previous"
TREE = FOLDER / "tree"
BIN = TREE / "build/bin"
CHART = TREE / "charts/smtp-relay-operator"
DEFINITION = TREE / "crds/smtp.buildinglink.com_smtprelays.yaml"


def check_built():
    """Fails where the previous version is another one by now, or was never built."""
    wanted = [line for line in (ROOT / "hack/previous/commit").read_text().splitlines() if not line.startswith("#")]
    stamp = FOLDER / "stamp"
    assert stamp.exists() and stamp.read_text().split() == wanted, "build the previous version first: hack/previous/build"
    for name in ("smtp-relay", "smtp-relay-operator", "relayctl"):
        assert (BIN / name).exists(), f"there is no {BIN / name}: hack/previous/build"


def image(name):
    """The reference of the previous image `relay` or `operator`, which hack/previous/images gave to the nodes."""
    return (FOLDER / f"{name}.image").read_text().strip()
