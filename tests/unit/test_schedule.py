"""Slots of schedules, and which of them are started."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from jobbers.core.ids import check_id, tail_of, unique_tail
from jobbers.core.payload import Undecodable
from jobbers.core.schedule import (
    GRACE_MS,
    LOOK_AGAIN_MS,
    MOST_STARTS,
    Kind,
    Missed,
    Overlap,
    Schedule,
    Turn,
    decide,
    unpack_schedule,
)
from jobbers.core.timing import Timing, timing
from jobbers.errors import InvalidInput

HOUR = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def text(slot: int) -> str:
    return datetime.fromtimestamp(slot / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def first(cron: str, tz: str, after: str, count: int = 3) -> list[str]:
    return [text(slot) for slot in islice(timing(cron, tz, None).slots(ms(after)), count)]


def hourly(**more: Any) -> Schedule:
    return Schedule("s", timing("0 * * * *", None, None), Kind.TASK, "t", **more)


# Slots


def test_what_the_clock_leaves_out_in_spring_comes_right_after() -> None:
    assert first("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00") == [
        "2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30",
    ]  # fmt: skip


def test_what_the_clock_shows_twice_in_autumn_comes_once() -> None:
    expected = ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]
    assert first("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00") == expected
    # begun between the two half past twos: the second one is none
    assert first("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", 1) == ["2026-10-26 01:30"]
    assert first("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", 1) == ["2026-10-26 01:30"]


def test_every_hour_is_every_hour_when_clocks_change() -> None:
    for day in ("2026-03-29", "2026-10-25"):
        found = list(islice(timing("0 * * * *", "Europe/Berlin", None).slots(ms(f"{day}T00:00") - 1), 5))
        assert [slot - ms(f"{day}T00:00") for slot in found] == [0, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]


def test_zones_of_the_south_and_of_half_hours() -> None:
    assert first("0 9 * * *", "Australia/Lord_Howe", "2026-04-03T12:00", 4) == [
        "2026-04-03 22:00", "2026-04-04 22:30", "2026-04-05 22:30", "2026-04-06 22:30",
    ]  # fmt: skip
    assert first("0 0 * * *", "Asia/Kathmandu", "2026-01-01T00:00", 1) == ["2026-01-01 18:15"]


def test_leap_days_and_last_days() -> None:
    assert first("0 0 29 2 *", "UTC", "2025-01-01T00:00", 2) == ["2028-02-29 00:00", "2032-02-29 00:00"]
    assert first("0 0 29 2 *", "UTC", "2097-01-01T00:00", 1) == ["2104-02-29 00:00"]
    assert first("0 0 L * *", "UTC", "2028-02-01T00:00", 2) == ["2028-02-29 00:00", "2028-03-31 00:00"]
    assert first("@monthly", "UTC", "2028-02-01T00:00", 1) == ["2028-03-01 00:00"]


def test_seconds_may_stand_first() -> None:
    found = list(islice(timing("*/20 * * * * *", None, None).slots(ms("2026-01-01T00:00")), 3))
    assert [slot - ms("2026-01-01T00:00") for slot in found] == [20_000, 40_000, 60_000]


def test_intervals_count_from_1970() -> None:
    assert list(islice(timing(None, None, 500).slots(1_200), 3)) == [1_500, 2_000, 2_500]
    assert timing(None, None, 500).after(1_500) == 2_000


@pytest.mark.parametrize(
    ("cron", "tz", "every", "says"),
    [
        ("0 0 30 2 *", None, None, "30 2 .' never fires"),
        ("0 0 31 2,4,6,9,11 *", None, None, "never fires"),
        ("0 0 29 2 MON#5 *", None, None, "is no cron line"),
        ("61 * * * *", None, None, "is no cron line .bad minute."),
        ("0 0 40 * *", None, None, "is no cron line .bad day-of-month."),
        ("every day", None, None, "is no cron line"),
        ("", None, None, "is no cron line"),
        ("0 3 * * *", "Mars/Olympus", None, "no time zone 'Mars/Olympus'"),
        ("0 3 * * *", "../etc/passwd", None, "no time zone"),
        ("0 3 * * *", "", None, "no time zone"),
        ("0 3 * * *", None, 500, "one of cron and every"),
        (None, None, None, "one of cron and every"),
        (None, None, 99, "every must be 0.1 seconds or more, got 0.099"),
        (None, "UTC", 500, "leave tz out"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    cron: str | None, tz: str | None, every: int | None, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        timing(cron, tz, every)
    assert "\n" not in str(caught.value)


def test_the_newest_slots_are_the_last_of_all_of_them() -> None:
    for one in (timing("*/7 9-17 * * 1-5", "Europe/Berlin", None), timing(None, None, 3_000_000)):
        for begin, end in (
            ("2026-03-27T08:00", "2026-04-02T11:11"),
            ("2026-03-28T08:00", "2026-03-28T09:00"),
        ):
            slot = one.after(ms(begin))
            assert slot is not None
            everything = [it for it in islice(one.slots(slot - 1), 1_000) if it <= ms(end)]
            for count in (1, 3, 100, 1_000):
                assert one.newest(slot, ms(end), count) == everything[-count:]


def test_years_without_a_worker_cost_little() -> None:
    second = timing("* * * * * *", None, None)
    assert second.newest(ms("1980-01-01T00:00"), ms("2026-01-01T00:00"), 2) == [
        ms("2026-01-01T00:00") - 1000,
        ms("2026-01-01T00:00"),
    ]


# The schedule


def test_a_slot_has_one_id_which_lies_in_the_shard_of_the_name() -> None:
    one, other = hourly(), Schedule("other", Timing(every_ms=100), Kind.TASK, "t")
    slot = ms("2026-01-01T00:00")
    assert check_id(one.id_of(slot)) == hourly(overlap=Overlap.QUEUE).id_of(slot)
    assert len({one.id_of(slot), one.id_of(slot + 1), other.id_of(slot)}) == 3
    assert tail_of(one.id_of(slot)) == unique_tail("s")


def test_jitter_is_bounded_and_the_same_for_the_same_slot() -> None:
    one = hourly(jitter_ms=5_000)
    starts = [one.when(slot) - slot for slot in range(0, 300 * HOUR, HOUR)]
    assert min(starts) >= 0
    assert 4_000 < max(starts) <= 5_000
    assert starts == [one.when(slot) - slot for slot in range(0, 300 * HOUR, HOUR)]


def test_a_schedule_is_read_as_it_was_written() -> None:
    one = hourly(
        overlap=Overlap.QUEUE,
        missed=Missed.ALL,
        catch_up=7,
        jitter_ms=9,
        queue="q",
        priority=1,
        deadline_ms=3,
    )
    assert unpack_schedule("s", one.pack()) == one
    odd = [hourly(catch_up=0), hourly(jitter_ms=-1)]
    odd += [
        Schedule("s", one_timing, Kind.TASK, "t")
        for one_timing in (Timing(every_ms=-5), Timing(cron="what?"), Timing("@daily", "Nowhere"), Timing())
    ]
    for garbage in (b"", b"\xff", b"\x93\x01\x02\x03", b"\x80", *[schedule.pack() for schedule in odd]):
        with pytest.raises(Undecodable):
            unpack_schedule("s", garbage)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"missed": Missed.ALL}, "needs overlap='queue' or 'allow'"),
        ({"catch_up": 0}, "catch_up must be from 1 to 1,000"),
        ({"jitter_ms": HOUR}, "jitter of schedule 's' must be shorter than the 3600 s"),
    ],
)
def test_policies_that_contradict_each_other(more: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        hourly(**more).check()


# Turns: the slot before `START` is not due, it was at START.

START = ms("2026-01-01T00:00")


def turn(one: Schedule, late: int = 0, *, waiting: tuple[int, ...] = (), running: bool = False) -> Turn:
    return decide(one, START, waiting, running, START + late)


def test_a_slot_is_started_at_its_time_and_the_next_one_follows() -> None:
    assert turn(hourly(), -1) == Turn([], False, 0, START, START, ())
    assert turn(hourly()) == Turn([START], False, 0, START + HOUR, START + HOUR, ())


@pytest.mark.parametrize(
    ("missed", "late", "starts"),
    [
        ("skip", GRACE_MS, [0]),
        ("skip", GRACE_MS + 1, []),
        ("skip", 2 * HOUR, [2]),
        ("skip", 2 * HOUR + GRACE_MS + 1, []),
        ("one", 2 * HOUR + 1_000_000, [2]),
        ("all", 2 * HOUR + 1_000_000, [0, 1, 2]),
        ("all", 9 * HOUR, [6, 7, 8, 9]),
    ],
)
def test_missed_slots(missed: str, late: int, starts: list[int]) -> None:
    one = hourly(missed=Missed(missed), overlap=Overlap.ALLOW, catch_up=4)
    found = turn(one, late)
    assert found.starts == [START + number * HOUR for number in starts]
    assert found.slot == found.when == START + (late // HOUR + 1) * HOUR


def test_many_missed_slots_come_in_several_turns() -> None:
    one = hourly(missed=Missed.ALL, overlap=Overlap.ALLOW, catch_up=250)
    now, slot, starts = START + 300 * HOUR, START, list[int]()
    while slot <= now:
        found = decide(one, slot, (), False, now)
        assert 0 < len(found.starts) <= MOST_STARTS
        assert found.slot is not None
        starts += found.starts
        slot = found.slot
    assert starts == [START + number * HOUR for number in range(51, 301)]


def test_overlap() -> None:
    following = START + HOUR
    assert turn(hourly(), running=True) == Turn([], False, 1, following, following, ())
    assert turn(hourly(overlap=Overlap.ALLOW), running=True).starts == [START]
    assert turn(hourly(overlap=Overlap.CANCEL), running=True) == Turn(
        [START], True, 0, following, following, ()
    )
    assert not turn(hourly(overlap=Overlap.CANCEL)).cancel


def test_queued_slots_start_one_after_the_other() -> None:
    one = hourly(overlap=Overlap.QUEUE, catch_up=2)
    soon = START + LOOK_AGAIN_MS
    assert turn(one, running=True) == Turn([], False, 0, START + HOUR, soon, [START])
    assert turn(one, waiting=(1, 2), running=True) == Turn([], False, 1, START + HOUR, soon, [1, 2])
    assert turn(one, waiting=(1,)) == Turn([1], False, 0, START + HOUR, soon, [START])
    assert turn(one, -1, waiting=(1,)) == Turn([1], False, 0, START, START, [])
    assert decide(one, None, (1,), True, START) == Turn([], False, 0, None, soon, [1])


def test_a_slot_that_is_none_any_more_since_the_rules_of_its_zone_have_changed() -> None:
    found = decide(hourly(), START + 1_000, (), False, START + 2_000)
    assert (found.starts, found.slot) == ([], START + HOUR)


def test_a_slot_whose_jitter_is_not_over_waits_for_it() -> None:
    one = Schedule("s", timing(None, None, 1000), Kind.TASK, "t", jitter_ms=999).check()
    slot = next(it for it in range(0, 100_000, 1000) if one.when(it + 1000) > it + 1_100)
    found = decide(one, slot, (), False, slot + 1_100)
    assert (found.starts, found.slot, found.when) == ([slot], slot + 1000, one.when(slot + 1000))
