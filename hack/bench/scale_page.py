"""The page of `make bench-scale`: what is asked of each figure, and what it is."""

import time

import bar
import report

PAGE = """\
# The relay at scale

`make bench-scale` writes this page, on {date}. Our release build on one machine, which promises nothing for another; where
something is repeated there are {rounds} rounds, and medians with minimum and maximum in brackets. How each is measured:
[Measurements](README.md#at-scale).

- **Machine**: {machine}
- **Relay**: {version}

{text}
"""


class Page:
    """Rows, comparisons and notes, in the order in which they came. Each is said as it comes."""

    def __init__(self, say, are_aims_judged):
        self.say, self.are_aims_judged = say, are_aims_judged
        self._rows, self._rest = [], []

    def row(self, *fields):
        """As bar.Row: name, limit, measured, unit, detail."""
        row = bar.Row(*fields)
        self._rows.append(row)
        self.say(f"  {row.name}: {bar.shown(row.measured)} {row.unit} (<= {bar.shown(row.limit)}); {row.detail}")

    def note(self, text):
        self._rest.append(text)
        self.say("  " + text)

    def compare(self, title, columns, lines):
        """`lines`: {name: a text for each column}."""
        table = [f"## {title}", "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        table += [f"| {name} | " + " | ".join(texts) + " |" for name, texts in lines.items()]
        self._rest.append("\n".join(table))
        for name, texts in lines.items():
            self.say(f"  {name}: {'; '.join(texts)}")

    def text(self):
        lines = ["| | must | measured | | |", "|---|---|---|---|---|"] if self._rows else []
        for row in self._rows:
            verdict = row.verdict() if self.are_aims_judged else "not judged"
            lines.append(f"| {row.name} | <= {bar.shown(row.limit)} {row.unit} | {bar.shown(row.measured)} {row.unit} | {verdict} | "
                         f"{row.detail} |")
        return "\n\n".join(filter(None, ["\n".join(lines), *self._rest]))

    def write(self, path, version, rounds):
        path.parent.mkdir(exist_ok=True)
        path.write_text(PAGE.format(date=time.strftime("%Y-%m-%d"), rounds=rounds, version=version, text=self.text(),
                                    machine=report.machine("clients, sinks and relay share them")))
