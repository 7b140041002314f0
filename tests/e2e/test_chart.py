"""What hack/deploy has built and installed: the chart's own test passes, and the images hold what their lists say."""

import json

import cluster
import estate
import pytest
from cluster import kubectl
from estate import NAMESPACE, OPERATOR

OPERATORS = f"app.kubernetes.io/name={OPERATOR}"


def test_helm_test_passes():
    done = cluster.run(cluster.BUILD / "tools/bin/helm", "test", OPERATOR, "--namespace", NAMESPACE, "--kubeconfig",
                       cluster.KUBECONFIG, "--timeout", "2m", timeout=150)
    assert "Succeeded" in done.stdout, done.stdout
    assert not cluster.pods(NAMESPACE, f"app.kubernetes.io/name={OPERATOR}-test"), "its pod has gone"


@pytest.mark.parametrize("container, selector, programs", [
    ("relay", estate.SELECTOR, ["relayctl", "smtp-relay"]), ("operator", OPERATORS, ["smtp-relay-operator"])],
    ids=["relay", "operator"])
def test_an_image_holds_what_its_list_says(container, selector, programs):
    pod = cluster.pods(NAMESPACE, selector)[0]
    image = next(each["image"] for each in pod["spec"]["containers"] if each["name"] == container)
    listed = json.loads((cluster.BUILD / "image" / (image.translate({47: "_", 58: "_"}) + ".spdx.json")).read_text())

    def inside(*command):
        return kubectl("-n", NAMESPACE, "exec", pod["metadata"]["name"], "-c", container, "--", *command)
    # What is compiled into the programs is listed too, and no package of the image.
    contained = {each["relatedSpdxElement"] for each in listed["relationships"] if each["relationshipType"] == "CONTAINS"}
    parts = [(part["name"], part["versionInfo"]) for part in listed["packages"]
             if "externalRefs" in part and part["SPDXID"] in contained]
    assert sorted(parts) == sorted(tuple(line.split(" ")) for line in
                                   inside("dpkg-query", "-W", "-f", "${Package} ${Version}\\n").splitlines())
    sums = {part["name"]: part["checksums"][0]["checksumValue"] for part in listed["packages"] if "checksums" in part}
    assert sorted(sums) == programs
    for name, value in sums.items():
        assert inside("sha256sum", f"/usr/bin/{name}").split()[0] == value
