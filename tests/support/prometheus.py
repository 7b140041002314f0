"""Debian's Prometheus as a process of a test, with the scraping of docs/prometheus.yaml and the chart's alerts.

It has no discovery by Kubernetes: what that would find of a pod is given to it as `pod()` makes it, so that the rest of
the configuration is what people are told to use.
"""

import http.client
import json
import math
import subprocess
import urllib.parse

import monitoring
import yaml
from ports import free_port
from waiting import wait_until


def pod(manifest):
    """The targets that Prometheus' discovery makes of a pod, one for each of its ports."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    labels = {"__meta_kubernetes_namespace": metadata["namespace"], "__meta_kubernetes_pod_name": metadata["name"],
              "__meta_kubernetes_pod_ip": manifest["status"]["podIP"], "__meta_kubernetes_pod_node_name": spec["nodeName"]}
    for kind in ("annotation", "label"):
        for key, value in metadata.get(kind + "s", {}).items():
            labels[f"__meta_kubernetes_pod_{kind}_" + "".join(c if c.isalnum() else "_" for c in key)] = value
    ports = [port["containerPort"] for container in spec["containers"] for port in container.get("ports", [])]
    return [{"targets": [f"{manifest['status']['podIP']}:{port}"], "labels": labels} for port in ports]


class Prometheus:
    """with Prometheus(folder, [pod(...), ...]) as prometheus: ... It scrapes every second. `rules`: files of rules."""

    def __init__(self, folder, pods=(), rules=monitoring.ALERTS):
        self.port = free_port()
        self.folder, self.log = folder, folder / "prometheus.log"
        self.process = None
        config = yaml.safe_load((monitoring.ROOT / "docs/prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(file) for file in rules]
        for job in config["scrape_configs"]:
            del job["kubernetes_sd_configs"]
            job["static_configs"] = [target for targets in pods for target in targets]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))

    def __enter__(self):
        command = [monitoring.PROGRAMS / "prometheus", f"--config.file={self.folder}/prometheus.yaml", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_until(self._is_up, 30, "Prometheus is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def _is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"Prometheus ended: {self.log.read_text()[-2000:]}")
        return self._get("/-/ready")[0] == 200

    def _get(self, path, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path + ("?" + urllib.parse.urlencode(parameters) if parameters else ""))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def api(self, path, **parameters):
        """What the API has to say; an AssertionError with its reason when it refuses."""
        answer = json.loads(self._get("/api/v1/" + path, **parameters)[1])
        assert answer["status"] == "success", f"{parameters}: {answer['error']}"
        return answer["data"]

    def query(self, expression):
        """[(labels, value)] of now."""
        data = self.api("query", query=expression)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def has_data(self, expression):
        """Whether it returns a number; the quantile of a histogram that saw nothing is none."""
        return any(not math.isnan(value) for _, value in self.query(expression))

    def targets(self):
        """The labels of what is scraped; fails while something can't be."""
        found = self.api("targets", state="active")["activeTargets"]
        for target in found:
            assert target["health"] == "up", f"{target['scrapeUrl']}: {target['lastError']}"
        return [target["labels"] for target in found]

    def alerts(self):
        """{name: state} of all that Prometheus evaluates; fails when it can't evaluate one."""
        states = {}
        for group in self.api("rules", type="alert")["groups"]:
            for rule in group["rules"]:
                assert rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError') or rule['health']}"
                states[rule["name"]] = rule["state"]
        return states

    def wait_for_data(self, expressions, seconds=30):
        """Until each of the expressions returns something; fails with those that do not."""
        late = list(expressions)

        def all_are_there():
            late[:] = [each for each in late if not self.has_data(getattr(each, "expression", each))]
            assert not late, "no data: " + "; ".join(map(str, late))
            return True
        wait_until(all_are_there, seconds, "every query returns data", every=1)
