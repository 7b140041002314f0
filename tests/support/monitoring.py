"""The chart's alerts and dashboards as values, with the expressions that they ask Prometheus."""

import dataclasses
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where hack/peers/unpack puts Prometheus, which needs no more than the C library.
PROGRAMS = ROOT / "build/peers/root/usr/bin"
FILES = ROOT / "charts/smtp-relay-operator/files"
ALERTS = sorted((FILES / "alerts").glob("*.yaml"))
DASHBOARDS = sorted((FILES / "dashboards").glob("*.json"))
# What Prometheus itself records, and kube-state-metrics where a cluster has it.
FOREIGN = {"up", *(f"kube_daemonset_status_{name}" for name in (
    "number_available", "number_unavailable", "desired_number_scheduled", "updated_number_scheduled"))}


def rules():
    """{name: rule} of all files."""
    return {rule["alert"]: rule for file in ALERTS for group in yaml.safe_load(file.read_text())["groups"]
            for rule in group["rules"]}


def dashboard(name):
    return json.loads((FILES / f"dashboards/{name}.json").read_text())


def panels(board):
    """All panels but the rows; also those of rows that are folded."""
    for panel in board["panels"]:
        yield from panel.get("panels", [])
        if panel["type"] != "row":
            yield panel


@dataclasses.dataclass
class Query:
    """One question of a panel, with all that the dashboard's variables leave open: every value of each."""

    panel: str
    expression: str

    def __str__(self):
        return f"{self.panel}: {self.expression}"


def queries(board, interval="5m"):
    for panel in panels(board):
        for target in panel["targets"]:
            yield Query(panel["title"], filled(target["expr"], interval))


def filled(expression, interval="5m"):
    """As Grafana asks it when each variable stands at All."""
    expression = expression.replace("$__rate_interval", interval)
    expression = re.sub(r"\$(namespace|relay|node|destination)\b", ".*", expression)
    assert "$" not in expression, f"an unknown variable in {expression}"
    return expression


def metrics(expression):
    """Names of metrics in an expression, those of a histogram without their ends."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\boffset \w+|\b(?:by|without|on) *\([^)]*\)', " ", expression)
    names = set(re.findall(r"\b[a-z_]\w*\b(?! *\()", bare)) - {"and", "or", "unless"}
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def selectors(expression):
    """What it selects, without ranges: {'up', 'x_total{reason="y"}'}."""
    names = "|".join(sorted(metrics(expression), key=len, reverse=True))
    return {match[0] for match in re.finditer(rf"\b(?:{names})(?:_bucket|_sum|_count)?\b(?:\{{[^}}]*\}})?", expression)}
