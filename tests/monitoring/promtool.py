"""Alerts and series for promtool: one file for each question, since a test of promtool's says little of where it failed."""

import json
import pathlib
import re
import subprocess

import yaml
from monitoring import ALERTS, PROGRAMS

CASES = pathlib.Path(__file__).resolve().parent / "cases"
# As scraping labels them: docs/operations.md.
PODS = {f"{name}-{number}": {"job": name, "namespace": "mail", "relay": "edge" if name == "edge" else "",
                             "pod": f"{name}-{number}", "instance": f"10.{net}.0.{number}:9090", "node": f"node{number}"}
        for net, name in enumerate(("edge", "operator", "other")) for number in range(1, 5)}


def cases():
    """{name: {"fires": case, "quiet": case}}, all of it text: to YAML 0x20 is 32."""
    return {name: case for file in sorted(CASES.glob("*.yaml")) for name, case in yaml.load(file.read_text(), yaml.BaseLoader).items()}


def series(text):
    """The whole name of a series that a case names in short: `edge-2 up{x="y"}`."""
    pod, _, rest = text.rpartition(" ")
    name, _, own = rest.partition("{")
    labels = {key: value for key, value in PODS[pod or "edge-1"].items() if value}
    labels |= dict(re.findall(r'(\w+)="([^"]*)"', own))
    return name + "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items()) + "}"


def check(folder, case, question, expected, rules=None):
    """Asks promtool what an expression over alerts has as its only value, at each time of `after`; None: no sample.

    `rules`: those that are evaluated, where it is not all of them; few are much faster.
    """
    every = case.get("every", "1m")
    file, files = folder / "alerts.test.yaml", [str(each) for each in ALERTS]
    if rules is not None:
        (folder / "rules.yaml").write_text(json.dumps({"groups": [{"name": "some", "rules": rules}]}))
        files = [str(folder / "rules.yaml")]
    samples = [] if expected is None else [{"labels": "{}", "value": expected}]
    file.write_text(json.dumps({
        "rule_files": files, "evaluation_interval": every,
        "tests": [{"interval": every,
                   "input_series": [{"series": series(name), "values": values} for name, values in case["series"].items()],
                   "promql_expr_test": [{"expr": question, "eval_time": time, "exp_samples": samples}
                                        for time in case["after"].split()]}]}))
    done = subprocess.run([PROGRAMS / "promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
