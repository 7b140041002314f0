"""Dashboards as files: Grafana can show them, every metric is exposed, and Prometheus reads every question."""

import itertools
import re
import subprocess

import monitoring
import pytest
import yaml
from exposed import exposed
from monitoring import DASHBOARDS, ROOT

BOARDS = {file.stem: monitoring.dashboard(file.stem) for file in DASHBOARDS}
UNSHOWN = {
    "controller_runtime_reconcile_timeouts_total": "always 0: reconciles have no time limit",
}


def test_there_is_one_for_each_program():
    assert set(BOARDS) == {"relay", "operator"}
    assert {board["uid"] for board in BOARDS.values()} == {"smtp-relay", "smtp-relay-operator"}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_it_can_be_imported_anywhere(board):
    assert "__inputs" not in board and "id" not in board
    known = {variable["name"] for variable in board["templating"]["list"]}
    assert known >= {"datasource", "namespace"}
    for panel in monitoring.panels(board):
        for where in (panel, *panel["targets"]):
            assert where["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    used = set(re.findall(r"\$(\w+)", str([target["expr"] for panel in monitoring.panels(board) for target in panel["targets"]])))
    assert used - {"__rate_interval"} == known - {"datasource"}, "each variable narrows something"


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_each_panel_says_what_it_shows_and_lies_alone(board):
    everything = board["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    titles = [panel["title"] for panel in everything if panel["type"] == "row"]
    assert titles and len(set(titles)) == len(titles)
    for panel in monitoring.panels(board):
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    for one, other in itertools.combinations((panel["gridPos"] for panel in everything), 2):
        apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"] or
                 one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_it_asks_for_metrics_that_are_exposed(board):
    for query in monitoring.queries(board):
        assert monitoring.metrics(query.expression) <= exposed(), query
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name = re.match(r"label_values\((\w+)", variable["definition"])[1]
            assert name in exposed(), variable["name"]


def test_every_metric_is_shown_somewhere():
    shown = {name for board in BOARDS.values() for query in monitoring.queries(board) for name in monitoring.metrics(query.expression)}
    assert exposed() - shown == set(UNSHOWN)


def test_prometheus_reads_every_question(tmp_path):
    rules = [{"record": f"question_{number}", "expr": query.expression}
             for number, query in enumerate(query for board in BOARDS.values() for query in monitoring.queries(board))]
    file = tmp_path / "questions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run([monitoring.PROGRAMS / "promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_prometheus_reads_the_example_of_scraping(tmp_path):
    """But for the discovery itself, which Debian's Prometheus leaves out."""
    config = yaml.safe_load((ROOT / "docs/prometheus.yaml").read_text())
    assert [each.pop("kubernetes_sd_configs") for each in config["scrape_configs"]] == [[{"role": "pod"}]]
    file = tmp_path / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    done = subprocess.run([monitoring.PROGRAMS / "promtool", "check", "config", "--syntax-only", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
