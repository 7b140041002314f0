"""The checker must see each way to break a promise, and must not see one where there is none."""

import dataclasses

import pytest
from custody import NOT_ENDED, Account, Copy, History, Report, Sent, account, digest, faults

WHOLE, OTHER = digest(b"content"), digest(b"c0ntent")
OK = "250 2.0.0 OK queued as 1"
LATER = "451 4.3.0 later"


def sent(reply=OK, id="m1", recipients=("a", "b")):
    return Sent(id, recipients, WHOLE, reply)


def copy(*recipients, id="m1", of=WHOLE, in_doubt=False):
    return Copy(id, recipients or ("a", "b"), of, in_doubt)


def report(*recipients, id="m1", in_doubt=False):
    return Report(id, recipients, in_doubt)


GOOD = {
    "one copy for all": History([sent()], [copy()]),
    "a copy for each": History([sent()], [copy("a"), copy("b")]),
    "delivered and bounced": History([sent()], [copy("a")], [report("b")]),
    "delivered and still waiting": History([sent()], [copy("a")], queued={"m1": ("b",)}),
    "nothing delivered yet": History([sent()], [], queued={"m1": ("a", "b")}),
    "unknown, and not taken": History([sent("")], []),
    "unknown, and taken whole": History([sent("")], [copy()]),
    "refused": History([sent(LATER), sent("552 5.3.4 too big", "m2"), sent(NOT_ENDED, "m3")], []),
    "a copy more, since the connection broke off behind the first": History([sent()], [copy(in_doubt=True), copy()]),
    "two more, behind two such ends": History([sent()], [copy(in_doubt=True), copy(in_doubt=True), copy()]),
    "two copies, and the mark of the last is lost as well":
        History([sent()], [copy(in_doubt=True)], queued={"m1": ("a", "b")}),
    "the second copy for one of them, the other was marked": History([sent()], [copy(in_doubt=True), copy("b")]),
    "a report more behind such an end": History([sent()], [copy("a")], [report("b", in_doubt=True), report("b")]),
    "a copy more, whose delivery could not be recorded": History([sent()], [copy(), copy()], unrecorded=1),
    "what a failed sync refused came back": History([sent(LATER)], [copy()], syncs_failed=True),
}

BAD = {
    "lost": (History([sent()], []), "lost for a"),
    "a recipient dropped": (History([sent()], [copy("a")]), "lost for b"),
    "a recipient dropped of one whose reply nobody read": (History([sent("")], [copy("a")]), "lost for b"),
    "changed": (History([sent()], [copy(of=OTHER)]), "arrived changed"),
    "one of two copies changed": (History([sent()], [copy(in_doubt=True, of=OTHER), copy()]), "arrived changed"),
    "refused and delivered": (History([sent("554 5.6.0 no")], [copy()]), "was refused"),
    "refused and queued": (History([sent("554 5.6.0 no")], [], queued={"m1": ("a", "b")}), "was refused"),
    "refused and reported": (History([sent("554 5.6.0 no")], [], [report("a", "b")]), "was refused"),
    "deferred and delivered, without a failed sync": (History([sent(LATER)], [copy()]), "was refused"),
    "refused for good and delivered, with one": (History([sent("554 no")], [copy()], syncs_failed=True), "was refused"),
    "cut off and delivered": (History([sent(NOT_ENDED)], [copy()]), "was refused"),
    "twice without a reason": (History([sent()], [copy(), copy()]), "arrived 2 times for a, 1 of them for no reason"),
    "twice for one of them": (History([sent()], [copy(), copy("b")]), "arrived 2 times for b"),
    "twice, and the end came behind the second": (History([sent()], [copy(), copy(in_doubt=True)]), "arrived 2 times"),
    "three times behind one end": (History([sent()], [copy(in_doubt=True), copy(), copy()]),
                                   "arrived 3 times for a, 1 of them"),
    "twice, one more than could not be recorded":
        (History([sent(), sent(id="m2")], [copy(), copy(), copy(id="m2"), copy(id="m2")], unrecorded=1), "m2 arrived 2 times"),
    "reported twice": (History([sent()], [copy("a")], [report("b"), report("b")]), "was reported 2 times for b"),
    "delivered, and reported as failed": (History([sent()], [copy()], [report("b")]), "told that it failed"),
    "to a stranger": (History([sent()], [copy("a", "b", "c")]), "arrived for c"),
    "from nobody": (History([sent()], [copy(), copy(id="m9")]), "m9 arrived, and nobody sent it"),
    "a report from nobody": (History([sent()], [copy()], [report("a", id="m9")]), "m9 was reported"),
    "queued from nobody": (History([sent()], [copy()], queued={"m9": ("a",)}), "m9 is in the queue"),
    "an id that came twice": (History([sent(), sent()], [copy()]), "m1 was sent twice"),
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_no_promise_is_broken(history):
    assert faults(history) == []
    assert account(history).balanced


@pytest.mark.parametrize("history, words", BAD.values(), ids=BAD)
def test_a_broken_promise_is_seen(history, words):
    assert any(words in fault for fault in faults(history)), faults(history)


def test_the_sum_is_of_recipients_and_tells_where_each_is():
    history = History([sent(), sent(id="m2"), sent("", "m3"), sent("", "m4"), sent(LATER, "m5")],
                      [copy("a", in_doubt=True), copy("a"), copy(id="m3")], [report("b", id="m2")],
                      {"m1": ("b",), "m2": ("a",)})
    assert faults(history) == []
    assert account(history) == Account(sent=6, delivered=3, queued=2, bounced=1, duplicates=1)
    assert str(account(history)) == "6 sent = 3 delivered + 2 queued + 1 bounced (and 1 duplicates)"


def test_the_sum_is_wrong_when_one_is_lost_or_counted_twice():
    lost, twice = History([sent()], [copy("a")]), History([sent()], [copy()], [report("b")])
    for history in (lost, twice):
        assert not account(history).balanced
        assert any("the sum is wrong" in fault for fault in faults(history))


@pytest.mark.parametrize("broken", [
    lambda history: history.copies.pop(500),
    lambda history: history.copies.insert(700, history.copies[3]),
    lambda history: history.copies.__setitem__(9, dataclasses.replace(history.copies[9], digest=OTHER)),
    lambda history: history.copies.__setitem__(9, dataclasses.replace(history.copies[9], recipients=("a",))),
    lambda history: history.sent.__setitem__(7, dataclasses.replace(history.sent[7], reply="554 5.6.0 no")),
], ids=["lost", "twice", "changed", "recipient dropped", "refused"])
def test_one_fault_among_a_thousand_messages_is_found_and_named_alone(broken):
    history = History([sent(id=f"m{number}") for number in range(1000)], [copy(id=f"m{number}") for number in range(1000)])
    assert faults(history) == []
    broken(history)
    named = {fault.split()[0] for fault in faults(history)} - {"the"}
    assert len(named) == 1, faults(history)
