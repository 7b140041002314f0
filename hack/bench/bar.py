"""What is asked of the operator, and the page that says what it reaches."""

import dataclasses
import time

import report

# Why a row is missed, where that is known; printed only with a miss.
REASONS = {
    "watch connections": "the ninth is of nodes, for cordons and for ports that two relays want; each optional kind that is "
                         "there and used (PodMonitor, PrometheusRule, NetworkPolicy) adds one",
    "CPU of a reconcile that finds nothing to do": "half of it makes and compares JSON trees, a quarter has the relay's own "
                                                   "code read the settings",
    "1,000 new SmtpRelays until all children are there, 100 writes a second":
        "a resource takes six writes: first status, four children, status; six thousand at 100 a second take a minute",
    "the same, no slower than the scaffold": "likewise: the first status is a write of its own, which may be left out",
    "start to ready, 5,000 SmtpRelays":
        "five kinds of 5,000 objects are listed and read one kind beside the other, on the cores that the API server needs "
        "to send them",
    "all listed anew after 410, 5,000 SmtpRelays": "likewise",
}
SCAFFOLD = """\
## Beside a scaffold

hack/bench/scaffold is an operator as kubebuilder sets one up: controller-runtime with its default caches, one worker, a
first and a last status, CreateOrUpdate of a ServiceAccount, a ConfigMap, a DaemonSet of one container and a Service. It
tells no events, and its children are far smaller than a relay's. It served the same resources in a namespace of its own,
on the same API server, in the same run."""


@dataclasses.dataclass
class Row:
    """One figure. `limit` and `measured` in `unit`; more is worse."""

    name: str
    limit: float
    measured: float
    unit: str
    detail: str = ""

    def verdict(self):
        if self.measured <= self.limit:
            return "reached"
        reason = REASONS.get(self.name, "")
        return f"**missed** by {shown(self.measured - self.limit)} {self.unit}" + (f": {reason}" if reason else "")


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(rows):
    lines = ["| | must | measured | | |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.name} | <= {shown(row.limit)} {row.unit} | {shown(row.measured)} {row.unit} | {row.verdict()} | "
                     f"{row.detail} |")
    return "\n".join(lines)


def comparison(pairs):
    """[(what, ours, the scaffold's)], as texts."""
    lines = ["| | smtp-relay-operator | scaffold |", "|---|---|---|"]
    return "\n".join(lines + [f"| {what} | {ours} | {theirs} |" for what, ours, theirs in pairs])


def write(path, text, options):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"""\
# What the operator costs

`make bench-operator` writes this page, on {time.strftime('%Y-%m-%d')}. Our release build runs against a real kube-apiserver
and etcd (without fsync) of the versions in hack/versions, with {options.sizes[1]:,} and {options.sizes[2]:,} SmtpRelays whose
nodeSelector matches no node; there are no nodes, kubelets or controllers. Times of requests are those of the API server's
audit log; memory is resident memory, shared libraries included. It tells of one machine, and promises nothing for another.

- **Machine**: {report.machine('API server, etcd and operator share them')}

{text}
""")
