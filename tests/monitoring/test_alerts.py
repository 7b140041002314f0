"""Alerts: each has a runbook, uses what is exposed, fires when it should, and keeps silent when all is well."""

import json
import re
import subprocess

import monitoring
import promtool
import pytest
import yaml
from exposed import exposed
from monitoring import ALERTS, FOREIGN, ROOT

RULES, CASES = monitoring.rules(), promtool.cases()
RUNBOOKS = ROOT / "docs/runbooks"

def firing(name):
    return f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'


def test_promtool_accepts_the_rules():
    done = subprocess.run([monitoring.PROGRAMS / "promtool", "check", "rules", *map(str, ALERTS)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_of_metrics_are_found_in_expressions():
    expression = 'sum by (a, b) (rate(x_total{c="d"}[5m] offset 1w)) > 0 and on (job) up == time() - y_bucket'
    assert monitoring.metrics(expression) == {"x_total", "up", "y"}
    assert monitoring.selectors(expression) == {'x_total{c="d"}', "up", "y_bucket"}


@pytest.mark.parametrize("name", RULES)
def test_an_alert_says_what_to_do(name):
    rule = RULES[name]
    assert name.startswith("SmtpRelay")
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert re.search(r"\b(Look first at|remove|Restart the|Do not)\b", rule["annotations"]["description"])
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("name", RULES)
def test_an_alert_uses_metrics_that_are_exposed(name):
    names = monitoring.metrics(RULES[name]["expr"])
    assert names and names <= exposed() | FOREIGN, names - exposed()


@pytest.mark.parametrize("name", RULES)
def test_a_runbook_says_how_to_look_and_how_to_mend(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings == ["Meaning", "Impact", "How to look", "How to mend", "When to escalate"]
    look = text.split("## How to look")[1].split("## How to mend")[0]
    assert re.search(r"^    \S", look, re.M), "it gives commands"
    assert len(text.splitlines()) < 60


def test_there_is_no_runbook_without_an_alert():
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == set(RULES)
    listed = re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text())
    assert sorted(listed) == sorted(RULES)


@pytest.mark.parametrize("file", [*RUNBOOKS.glob("*.md"), ROOT / "docs/operations.md"], ids=lambda file: file.stem)
def test_links_lead_somewhere(file):
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", file.read_text()):
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), path
        if anchor:
            headings = [heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", target.read_text(), re.M)]
            assert anchor in headings, f"{path}#{anchor}"


@pytest.mark.parametrize("file", sorted((ROOT / "tests/golden").glob("*.daemon-set.yaml")), ids=lambda file: file.stem)
def test_relay_pods_say_where_they_are_scraped(file):
    template = yaml.safe_load(file.read_text())["spec"]["template"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    annotations = {key: value for key, value in template["metadata"]["annotations"].items() if key.startswith("prometheus.io/")}
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": str(ports["http-metrics"]),
                           "prometheus.io/path": "/metrics"}


def test_each_alert_has_its_cases():
    assert set(CASES) == set(RULES)
    assert all(set(case) == {"fires", "quiet"} for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_it_fires(name, tmp_path):
    promtool.check(tmp_path, CASES[name]["fires"], firing(name), 1, [RULES[name]])


@pytest.mark.parametrize("name", CASES)
def test_it_keeps_silent(name, tmp_path):
    promtool.check(tmp_path, CASES[name]["quiet"], firing(name), None, [RULES[name]])


def narrowed(name):
    """The alerts that the operator makes for the relay of a golden resource: {name: rule}."""
    spec = yaml.safe_load((ROOT / f"tests/golden/{name}.prometheus-rule.yaml").read_text())["spec"]
    return {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"]}


EDGE, SCRATCH = narrowed("minimal"), narrowed("empty-dir")


def test_promtool_accepts_the_rules_of_one_relay(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "edge", "rules": list(EDGE.values())}]}))
    done = subprocess.run([monitoring.PROGRAMS / "promtool", "check", "rules", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and f"{len(EDGE)} rules found" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", EDGE)
def test_of_one_relay_it_fires_as_of_all(name, tmp_path):
    promtool.check(tmp_path, CASES[name]["fires"], firing(name), 1, [EDGE[name]])
    promtool.check(tmp_path, CASES[name]["quiet"], firing(name), None, [EDGE[name]])


@pytest.mark.parametrize("name", SCRATCH)
def test_of_one_relay_it_is_silent_about_another(name, tmp_path):
    promtool.check(tmp_path, CASES[name]["fires"], "count(ALERTS)", None, [SCRATCH[name]])


HEALTHY = {
    "up": "1", "smtp_relay_ready": "1", "smtp_relay_draining": "0", "smtp_relay_durable": "1", "smtp_relay_build_info": "1",
    "smtp_relay_spool_free_bytes": "5e+10", "smtp_relay_queue_messages": "12", "smtp_relay_failed_messages": "3",
    "smtp_relay_credentials_refused": "0", 'smtp_relay_destination_messages{destination="smarthost/primary"}': "12",
    'smtp_relay_destination_oldest_seconds{destination="smarthost/primary"}': "40"}
# What passes through in a minute; of each hundred recipients a few fail, as everywhere.
FLOWING = {
    "smtp_relay_messages_received_total": 100, "smtp_relay_connections_total": 100, "smtp_relay_refusals_total": 7,
    'smtp_relay_recipients_total{result="delivered"}': 96, 'smtp_relay_recipients_total{result="deferred"}': 5,
    'smtp_relay_recipients_total{result="failed"}': 4, "smtp_relay_reports_total": 4,
    'smtp_relay_delivery_connections_total{result="ready"}': 40, 'smtp_relay_delivery_connections_total{result="failed"}': 1,
    'smtp_relay_delivery_tls_total{outcome="verified"}': 39, 'smtp_relay_delivery_tls_total{outcome="failed"}': 1,
    'smtp_relay_spool_commit_seconds_bucket{le="0.05"}': 200, 'smtp_relay_spool_commit_seconds_bucket{le="+Inf"}': 200}
LEADER = 'leader_election_master_status{name="smtp-relay-operator"}'


def life(pod, begin, end, born=0):
    """Series of a pod that is scraped from minute `begin` to minute `end`."""
    gap, rest = f"_x{begin} " if begin else "", end - begin
    steady = {f"{pod} {name}": f"{gap}{value}x{rest} stale" for name, value in HEALTHY.items()}
    moving = {f"{pod} {name}": f"{gap}0+{step}x{rest} stale" for name, step in FLOWING.items()}
    return steady | moving | {f"{pod} smtp_relay_start_time_seconds": f"{gap}{born}x{rest} stale"}


def test_a_day_like_any_other_is_silent(tmp_path):
    case = {"after": "10m 61m 90m 120m 180m",
            "series": life("edge-1", 0, 200) | life("edge-2", 0, 200) | {f"operator-1 {LEADER}": "1x200"}}
    promtool.check(tmp_path, case, "count(ALERTS)", None)


def test_a_rollout_is_silent(tmp_path):
    """Pods are replaced one by one, each with a minute in which it is not ready and one in which nobody answers."""
    old, new = life("edge-1", 0, 60) | life("edge-2", 0, 64), life("edge-3", 62, 200, 3720) | life("edge-4", 66, 200, 3960)
    stopping = {"edge-1 smtp_relay_ready": "1x58 0x1 stale", "edge-1 smtp_relay_draining": "0x58 1x1 stale",
                "edge-1 up": "1x60 0 stale"}
    case = {"after": " ".join(f"{minute}m" for minute in [*range(58, 76), 100, 180]),
            "series": old | new | stopping | {f"operator-1 {LEADER}": "1x200"}}
    promtool.check(tmp_path, case, 'count(ALERTS{alertstate="firing"})', None)
