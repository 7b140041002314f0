"""Helm, and the chart with what it makes of values."""

import os
import shutil
import subprocess

import yaml
from control_plane import ROOT, TOOLS

CHART = ROOT / "charts/smtp-relay-operator"
SAMPLES = ROOT / "docs/samples"
RELEASE = "smtp-relay-operator"
# The chart's own files of values, and those of the samples.
VALUES = sorted([*CHART.glob("ci/*-values.yaml"), *SAMPLES.glob("*/values.yaml")])
DEFINITION = "smtprelays.smtp.buildinglink.com"


def name_of(path):
    """A short name of a file of values, for the tests' names."""
    return path.name.removesuffix("-values.yaml") if path.parent.name == "ci" else path.parent.name


def helm(*arguments, folder, check=True):
    """Helm's standard output and error. What it keeps of its own is in the folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBECONFIG"))}
    done = subprocess.run([str(part) for part in (TOOLS / "helm", *arguments)], capture_output=True, text=True, timeout=120,
                          env=environment | {"HOME": str(folder)})
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def refusal(folder, *options):
    """What Helm says of values that it refuses; an empty text where it takes them."""
    said = helm("template", RELEASE, CHART, "--kube-version", "1.34.0", *options, folder=folder, check=False)
    return said if said.startswith("Error:") else ""


def render(folder, *options, chart=CHART, namespace="mail"):
    """{(kind, name): object}; those of one name in several namespaces are told apart by (kind, namespace/name)."""
    text = helm("template", RELEASE, chart, "--namespace", namespace, "--kube-version", "1.34.0", *options, folder=folder)
    found = {}
    for item in yaml.safe_load_all(text):
        if item is None:
            continue
        key = item["kind"], item["metadata"]["name"]
        if key in found:
            key = item["kind"], f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        found[key] = item
    return found


def only(objects, kind):
    return [item for (each, _), item in objects.items() if each == kind]


def copy_of_chart(folder, **files):
    """A chart that a test may change: {path below the chart: text} is written into it."""
    copy = folder / "chart"
    shutil.copytree(CHART, copy)
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    return copy
