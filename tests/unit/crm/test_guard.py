"""Who may be written to, by which channel, when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.crm.domain.guard import Cap, Purpose, Quiet, Reach, Send, Stop, Suppressed, Wait, decide

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = Quiet(time(21), time(9), SHANGHAI)
NOON = datetime(2026, 3, 2, 12, tzinfo=SHANGHAI)
BOTH = ("SMS", "EMAIL")


def reach(**changed: object) -> Reach:
    given: dict[str, object] = {
        "consents": frozenset({(Purpose.MARKETING, "SMS"), (Purpose.MARKETING, "EMAIL"), (Purpose.CARE, "SMS")}),
        "preferred": ("EMAIL", "SMS"),
        "addresses": frozenset(BOTH),
    }
    return Reach(**{**given, **changed})  # type: ignore[arg-type]


def judged(
    to: Reach,
    *,
    purpose: Purpose = Purpose.MARKETING,
    channels: tuple[str, ...] = BOTH,
    sent: tuple[datetime, ...] = (),
    now: datetime = NOON,
) -> Send | Wait | Stop:
    cap = Cap(2, timedelta(days=7))
    return decide(purpose, to, channels=channels, quiet=NIGHT, cap=cap, sent=sent, now=now.astimezone(UTC))


def test_the_customers_own_channel_wins_then_the_senders_order() -> None:
    assert judged(reach()) == Send("EMAIL")
    assert judged(reach(preferred=("WECHAT",))) == Send("SMS")
    assert judged(reach(addresses=frozenset({"SMS"}))) == Send("SMS")
    assert judged(reach(), channels=("SMS",)) == Send("SMS")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"erased": True}, Suppressed.ERASED),
        ({"do_not_contact": True}, Suppressed.DO_NOT_CONTACT),
        ({"consents": frozenset()}, Suppressed.NO_CONSENT),
        ({"consents": frozenset({(Purpose.CARE, "SMS")})}, Suppressed.NO_CONSENT),
        ({"addresses": frozenset()}, Suppressed.NO_ADDRESS),
        (
            {"consents": frozenset({(Purpose.MARKETING, "SMS")}), "addresses": frozenset({"EMAIL"})},
            Suppressed.NO_ADDRESS,
        ),
    ],
)
def test_what_forbids(changed: dict[str, object], reason: Suppressed) -> None:
    assert judged(reach(**changed)) == Stop(reason)


def test_consent_is_by_purpose() -> None:
    assert judged(reach(), purpose=Purpose.CARE) == Send("SMS")
    assert judged(reach(), purpose=Purpose.SURVEY) == Stop(Suppressed.NO_CONSENT)


def test_the_cap_counts_a_moving_window() -> None:
    week = timedelta(days=7)
    assert judged(reach(), sent=(NOON - timedelta(days=1), NOON - timedelta(days=2))) == Stop(Suppressed.FREQUENCY_CAP)
    assert judged(reach(), sent=(NOON - timedelta(days=1), NOON - week)) == Send("EMAIL")


@pytest.mark.parametrize(
    ("day", "wall", "ends"),
    [
        (2, time(20, 59, 59), None),
        (2, time(21), 3),
        (2, time(23, 30), 3),
        (3, time(0), 3),
        (3, time(8, 59), 3),
        (3, time(9), None),
    ],
)
def test_quiet_hours_are_the_sites_own(day: int, wall: time, ends: int | None) -> None:
    now = datetime.combine(date(2026, 3, day), wall, tzinfo=SHANGHAI)
    expected = Send("EMAIL") if ends is None else Wait(datetime(2026, 3, ends, 9, tzinfo=SHANGHAI))
    assert judged(reach(), now=now) == expected


def test_quiet_within_one_day_and_over_a_change_of_clocks() -> None:
    nap = Quiet(time(12), time(14), SHANGHAI)
    assert nap.until(NOON) == NOON + timedelta(hours=2)
    assert nap.until(NOON + timedelta(hours=2)) is None
    berlin = ZoneInfo("Europe/Berlin")
    night = Quiet(time(22), time(8), berlin)
    evening = datetime(2026, 3, 28, 23, tzinfo=berlin)  # the clocks go forward in this night
    until = night.until(evening)
    assert until is not None
    assert until - evening.astimezone(UTC) == timedelta(hours=8)


def test_what_forbids_comes_before_what_delays() -> None:
    midnight = datetime(2026, 3, 3, 0, 0, tzinfo=SHANGHAI)
    assert judged(reach(consents=frozenset()), now=midnight) == Stop(Suppressed.NO_CONSENT)
