"""Judges what became of mail, by the histories of clients, relay and sink. Pure: it opens nothing and knows no clock.

    found = custody.faults(history)     sentences, one for each promise that was broken; none is the good end
    custody.account(history)            the sum: sent = delivered + queued + bounced

The promises are those of docs/durability.md: what was acknowledged arrives for each recipient, waits, or is reported to its
sender; what was refused never arrives; every copy is octet for octet what was sent; a recipient gets a second copy only
where the first was among the last of a connection that broke off, so that its record may not have been written.
"""

import collections
import dataclasses
import hashlib


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


@dataclasses.dataclass(frozen=True)
class Sent:
    """What a client sent under an id of its own, and the reply to its end of data."""

    id: str
    recipients: tuple
    digest: str
    reply: str  # "" when the connection was lost before it; NOT_ENDED when the client did not get so far as to end it

    @property
    def acknowledged(self):
        return self.reply.startswith("2")

    @property
    def unknown(self):
        return self.reply == ""

    @property
    def refused(self):
        return not self.acknowledged and not self.unknown


NOT_ENDED = "not ended"  # the client left in the middle of its content: nobody may take that for a message


@dataclasses.dataclass(frozen=True)
class Copy:
    """A message that the sink has answered with 250."""

    id: str
    recipients: tuple
    digest: str
    in_doubt: bool  # among the last that were accepted on a connection that broke off: perhaps not recorded yet


@dataclasses.dataclass(frozen=True)
class Report:
    """A report to the sender of message `id` that its delivery to `recipients` has failed."""

    id: str
    recipients: tuple
    in_doubt: bool


@dataclasses.dataclass
class History:
    """Copies and reports in the order of their arrival. `queued`: {id: recipients} that the relay says it still has."""

    sent: list
    copies: list
    reports: list = dataclasses.field(default_factory=list)
    queued: dict = dataclasses.field(default_factory=dict)
    # The relay has seen a sync fail: what it refused then may come back behind a restart (cases.md section 4, Refusal).
    syncs_failed: bool = False
    # Of so many messages the relay could not record the delivery, since its disk failed: those that were in delivery.
    unrecorded: int = 0


@dataclasses.dataclass(frozen=True)
class Account:
    """Recipients of messages in custody: acknowledged, or unknown to their client and taken all the same."""

    sent: int
    delivered: int
    queued: int
    bounced: int
    duplicates: int  # copies beyond the first

    @property
    def balanced(self):
        return self.sent == self.delivered + self.queued + self.bounced

    def __str__(self):
        return (f"{self.sent} sent = {self.delivered} delivered + {self.queued} queued + {self.bounced} bounced"
                f" (and {self.duplicates} duplicates)")


class _Traces:
    """What is known of each id, found once."""

    def __init__(self, history):
        self.copies, self.reports = collections.defaultdict(list), collections.defaultdict(list)
        for copy in history.copies:
            self.copies[copy.id].append(copy)
        for report in history.reports:
            self.reports[report.id].append(report)
        self.queued = history.queued

    def of(self, id):
        return [*self.copies.get(id, ()), *self.reports.get(id, ()), *([id] if id in self.queued else ())]

    def outcomes(self, sent):
        """For each recipient (delivered, bounced, queued)."""
        for recipient in sent.recipients:
            yield (recipient,
                   any(recipient in copy.recipients for copy in self.copies.get(sent.id, ())),
                   any(recipient in report.recipients for report in self.reports.get(sent.id, ())),
                   recipient in self.queued.get(sent.id, ()))

    def in_custody(self, sent):
        return sent.acknowledged or (sent.unknown and bool(self.of(sent.id)))


def account(history):
    traces = _Traces(history)
    total = delivered = queued = bounced = 0
    for sent in filter(traces.in_custody, history.sent):
        for _, arrived, reported, waits in traces.outcomes(sent):
            total += 1
            # One that has arrived and whose mark was lost with a kill waits once more: it counts as delivered.
            delivered += arrived
            bounced += reported
            queued += waits and not arrived and not reported
    copies = sum(len(copy.recipients) for copy in history.copies)
    distinct = len({(copy.id, recipient) for copy in history.copies for recipient in copy.recipients})
    return Account(total, delivered, queued, bounced, copies - distinct)


def faults(history):
    """Each broken promise in a sentence that names the message."""
    traces = _Traces(history)
    found = []
    for sent in history.sent:
        found += _of_message(sent, traces, history.syncs_failed)
    found += _of_repetitions(history, traces)
    found += _of_strangers(history)
    found += [f"{id} was sent twice by its clients: their history is no good"
              for id, count in collections.Counter(sent.id for sent in history.sent).items() if count > 1]
    if not (sums := account(history)).balanced:
        found.append(f"the sum is wrong: {sums}")
    return found


def _of_message(sent, traces, syncs_failed):
    copies, reports = traces.copies.get(sent.id, []), traces.reports.get(sent.id, [])
    if sent.refused and traces.of(sent.id):
        came_back = syncs_failed and sent.reply.startswith(("451", "452"))  # 452: EDQUOT of the sync
        if not came_back:
            yield f"{sent.id} was refused ({sent.reply}), and the relay took it: {len(copies)} copies, {len(reports)} reports"
    for copy in copies:
        if copy.digest != sent.digest:
            yield f"{sent.id} arrived changed: {copy.digest[:12]} and not {sent.digest[:12]}"
        for stranger in set(copy.recipients) - set(sent.recipients):
            yield f"{sent.id} arrived for {stranger}, whom its client did not name"
    if traces.in_custody(sent):
        how = f"acknowledged ({sent.reply})" if sent.acknowledged else "taken, as its other traces show,"
        for recipient, arrived, reported, waits in traces.outcomes(sent):
            if not (arrived or reported or waits):
                yield f"{sent.id} was {how} and is lost for {recipient}"
            if arrived and reported:
                yield f"{sent.id} arrived for {recipient}, and its sender was told that it failed"


def _of_repetitions(history, traces):
    """Each needs an event of its own: a connection that broke off behind the copy before, or a record that failed."""
    found = {}
    for sent in history.sent:
        sentences = [*_repeated(sent, traces.copies.get(sent.id, ()), "arrived"),
                     *_repeated(sent, traces.reports.get(sent.id, ()), "was reported")]
        if sentences:
            found[sent.id] = sentences
    if len(found) <= history.unrecorded:
        return []
    return [sentence for sentences in found.values() for sentence in sentences]


def _repeated(sent, ones, what):
    for recipient in sent.recipients:
        mine = [one for one in ones if recipient in one.recipients]
        certain = [one for one in mine[:-1] if not one.in_doubt]
        if certain:
            yield f"{sent.id} {what} {len(mine)} times for {recipient}, {len(certain)} of them for no reason"


def _of_strangers(history):
    known = {sent.id for sent in history.sent}
    for id in sorted({copy.id for copy in history.copies} - known):
        yield f"{id} arrived, and nobody sent it"
    for id in sorted({report.id for report in history.reports} - known):
        yield f"{id} was reported as failed, and nobody sent it"
    for id in sorted(set(history.queued) - known):
        yield f"{id} is in the queue, and nobody sent it"
