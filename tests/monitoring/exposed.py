"""What relay and operator expose, by the page that is made of the relay's table and by the operator's source."""

import functools
import re

from monitoring import ROOT


@functools.cache
def exposed():
    """Names of metrics."""
    relay = set(re.findall(r"^\| `(smtp_relay_\w+)", (ROOT / "docs/metrics.md").read_text(), re.M))
    source = (ROOT / "operator/runtime/metrics.cpp").read_text()
    operator = set(re.findall(r'(?:counter|gauge|histogram)\(\s*"(\w+)"', source))
    operator |= {"smtp_relay_operator" + rest for rest in re.findall(r'prefix \+ "(_\w+)"', source)}
    assert len(relay) > 20 and len(operator) > 20
    return relay | operator
