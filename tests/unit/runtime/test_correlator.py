from datetime import UTC, datetime, timedelta

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.runtime.correlator import (
    COMBINED_PREFIX,
    MAX_ENTRIES,
    MAX_MESSAGES,
    SPAM_BURST,
    Correlator,
    Occurrence,
    Series,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Reporter:
    """A correlator and a clock; ``tell`` reports something at the present moment."""

    def __init__(self) -> None:
        self.correlator = Correlator()
        self.now = 1000.0

    def tell(
        self,
        message: str = "no room",
        reason: str = "Failed",
        type_: str = "Warning",
        name: str = "claim",
        uid: str = "u1",
    ) -> tuple[Series, str] | None:
        about = ObjectReference(api_version="v1", kind="Pod", namespace="default", name=name, uid=UID(uid))
        at = BEGIN + timedelta(seconds=self.now)
        return self.correlator.correlate(Occurrence(about, type_, reason, message, at), self.now)

    def must(self, message: str = "no room", **about: str) -> tuple[Series, str]:
        found = self.tell(message, **about)
        assert found is not None, "taken for spam"
        return found


def test_the_same_again_raises_the_count_of_one_event() -> None:
    reporter = Reporter()
    first, message = reporter.must()
    reporter.now += 599
    again, _ = reporter.must()
    reporter.now += 599
    reporter.must()
    assert again is first
    assert (first.count, message) == (3, "no room")
    assert first.first_at == BEGIN + timedelta(seconds=1000)


def test_after_ten_quiet_minutes_it_is_another_event() -> None:
    reporter = Reporter()
    first, _ = reporter.must()
    first.is_written = True
    reporter.now += 601
    second, _ = reporter.must()
    assert (second.count, second.is_written) == (1, False)
    assert second.name != first.name


def test_anything_else_is_another_event() -> None:
    reporter = Reporter()
    found = [
        reporter.must(),
        reporter.must("other"),
        reporter.must(reason="Other"),
        reporter.must(type_="Normal"),
        reporter.must(name="other"),
        reporter.must(uid="successor"),
    ]
    assert [series.count for series, _ in found] == [1] * 6
    assert len({series.name for series, _ in found}) == 6


def test_names_are_the_objects_with_hexadecimal_nanoseconds_and_unique_in_one_moment() -> None:
    reporter = Reporter()
    names = [reporter.must(f"message {number}")[0].name for number in range(3)]
    stem, _, first = names[0].partition(".")
    nanoseconds = int(first, 16)
    assert stem == "claim"
    assert nanoseconds == int((BEGIN.timestamp() + 1000) * 1e9)
    assert names == [f"claim.{nanoseconds + number:x}" for number in range(3)]


def test_an_object_with_a_very_long_name_gets_events_with_another() -> None:
    series, _ = Reporter().must(name="x" * 250)
    assert len(series.name) == 36


def test_from_the_tenth_different_message_similar_events_are_combined() -> None:
    reporter = Reporter()
    apart = [reporter.must(f"message {number}") for number in range(MAX_MESSAGES - 1)]
    assert all(message == f"message {number}" for number, (_, message) in enumerate(apart))
    combined, message = reporter.must("message 9")
    assert message == COMBINED_PREFIX + "message 9" == "(combined from similar events): message 9"
    again, message = reporter.must("message 10")
    assert again is combined
    assert (combined.count, message) == (2, COMBINED_PREFIX + "message 10")
    assert reporter.must("message 11", reason="Other")[1] == "message 11", "another reason is not similar"


def test_the_memory_of_similar_messages_is_bounded_and_ends_with_a_quiet_time() -> None:
    reporter = Reporter()
    for number in range(100):
        reporter.tell(f"message {number}")
    [similar] = reporter.correlator._similar._entries.values()
    assert len(similar.messages) == MAX_MESSAGES - 1
    reporter.now += 601
    reporter.tell("later")
    assert list(similar.messages) == ["later"]


def test_the_same_message_again_is_not_a_different_one() -> None:
    reporter = Reporter()
    messages = [reporter.must()[1] for _ in range(20)]
    assert set(messages) == {"no room"}


def test_spam_about_one_object_is_dropped_and_still_counted() -> None:
    reporter = Reporter()
    results = [reporter.tell() for _ in range(SPAM_BURST + 5)]
    assert [result is None for result in results] == [False] * SPAM_BURST + [True] * 5
    assert reporter.tell(name="other") is not None, "other objects are not concerned"
    assert reporter.tell(type_="Normal") is not None, "nor is the other type, so that noise hides no warning"
    reporter.now += 299
    assert reporter.tell() is None
    reporter.now += 1
    series, _ = reporter.must()
    assert series.count == SPAM_BURST + 7, "the count tells how often it really was"
    assert reporter.tell() is None, "one each five minutes"


def test_the_memory_is_bounded_and_forgets_what_was_not_seen_for_longest() -> None:
    reporter = Reporter()
    reporter.must(name="old")
    reporter.must(name="kept")
    for number in range(MAX_ENTRIES + 4):
        reporter.must(name=f"claim-{number}")
        reporter.must(name="kept") if number == 10 else None
    assert len(reporter.correlator._series._entries) == MAX_ENTRIES
    assert len(reporter.correlator._buckets._entries) == MAX_ENTRIES
    assert reporter.must(name="kept")[0].count == 3
    assert reporter.must(name="old")[0].count == 1
