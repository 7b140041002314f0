"""The kinds of the Prometheus operator, as far as ours go into them: what is not here, a strict server refuses."""

import copy

from waiting import wait_until

GROUP = "monitoring.coreos.com"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def record(**fields):
    return {"type": "object", "properties": fields}


def list_of(items):
    return {"type": "array", "items": items}


# Their own defaults and limits too: https://prometheus-operator.dev/docs/api-reference/api/
RELABELING = record(action={**TEXT, "default": "replace", "enum": ["replace", "Replace", "keep", "drop"]},
                    sourceLabels=list_of({**TEXT, "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}), targetLabel=TEXT)
POD_MONITOR = record(
    jobLabel=TEXT, selector=record(matchLabels=TEXTS),
    podMetricsEndpoints=list_of(record(port=TEXT, path=TEXT, interval=TEXT, relabelings=list_of(RELABELING))))
RULE = {**record(alert=TEXT, expr={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, TEXT]}, labels=TEXTS,
                 annotations=TEXTS, **{"for": {**TEXT, "pattern": r"^(0|(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?)$"}}),
        "required": ["expr"]}
GROUP_OF_RULES = {**record(name={**TEXT, "minLength": 1}, rules=list_of(RULE)), "required": ["name"]}
PROMETHEUS_RULE = record(groups={**list_of(GROUP_OF_RULES), "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})
KINDS = {"podmonitors": ("PodMonitor", POD_MONITOR), "prometheusrules": ("PrometheusRule", PROMETHEUS_RULE)}


def definition(plural):
    kind, spec = KINDS[plural]
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"plural": plural, "singular": kind.lower(), "kind": kind,
                                                                 "listKind": f"{kind}List"},
                 "versions": [{"name": "v1", "served": True, "storage": True,
                               "schema": {"openAPIV3Schema": record(spec=copy.deepcopy(spec))}}]}}


def path(plural, namespace="mail", name=""):
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def install(api, *plurals):
    for plural in plurals or KINDS:
        api.create(DEFINITIONS, definition(plural))
    for plural in plurals or KINDS:
        # Established is not enough: its storage comes a moment later.
        wait_until(lambda plural=plural: api.find(path(plural)) is not None, 30, f"{plural} can be listed")


def remove(api):
    """With all objects of them."""
    for plural in KINDS:
        if api.find(f"{DEFINITIONS}/{plural}.{GROUP}"):
            api.delete(f"{DEFINITIONS}/{plural}.{GROUP}")
        wait_until(lambda plural=plural: api.find(f"{DEFINITIONS}/{plural}.{GROUP}") is None, 30, f"{plural} are gone")
