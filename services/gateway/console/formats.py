"""Numbers, dates and durations in the reader's language and the site's time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from services.gateway.console.texts import Texts
from services.policy.periods import in_words


class Formats:
    """What templates call as `f`: every method takes values of the domain (aware UTC, seconds, ratios)."""

    def __init__(self, words: Texts, timezone: str) -> None:
        self._words = words
        self._language = words.language
        self._zone = ZoneInfo(timezone)

    def number(self, value: float) -> str:
        """A number with at most two decimals."""
        return format_decimal(round(value, 2), locale=self._language)

    def percent(self, ratio: float) -> str:
        """A ratio as per cent, one decimal below 100 %."""
        return format_percent(ratio, "0.#%", locale=self._language)

    def time(self, at: datetime) -> str:
        """Hours and minutes."""
        return format_time(at, "HH:mm", tzinfo=self._zone, locale=self._language)

    def clock(self, at: datetime) -> str:
        """Hours, minutes and seconds."""
        return format_time(at, "HH:mm:ss", tzinfo=self._zone, locale=self._language)

    def day(self, at: datetime) -> str:
        """The day."""
        return format_date(at.astimezone(self._zone), "long", locale=self._language)

    def short_day(self, at: datetime) -> str:
        """The day in its shortest form."""
        return format_date(at.astimezone(self._zone), "yyyy-MM-dd", locale=self._language)

    def moment(self, at: datetime) -> str:
        """Day and time."""
        return format_datetime(at, "yyyy-MM-dd HH:mm", tzinfo=self._zone, locale=self._language)

    def local(self, at: datetime) -> datetime:
        """The instant in the site's time zone."""
        return at.astimezone(self._zone)

    def span(self, seconds: float) -> str:
        """A duration as a clock face: 0:21, 4:05, 1:02:03."""
        whole = int(max(seconds, 0))
        hours, rest = divmod(whole, 3600)
        minutes, secs = divmod(rest, 60)
        return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"

    def promise(self, seconds: float) -> str:
        """A promise in its natural unit: 30 s, 5 min, 24 h."""
        for unit, size in (("hours", 3600), ("minutes", 60)):
            if seconds >= size and seconds % size == 0:
                return self._words(f"unit.{unit}", n=self.number(seconds / size))
        return self._words("unit.seconds", n=self.number(seconds))

    def period(self, iso: str) -> str:
        """A profile's period, such as P1Y, in words."""
        return in_words(iso, self._language)

    def size(self, size_bytes: int) -> str:
        """A file's size."""
        if size_bytes < 1024 * 1024:
            return self._words("unit.kib", n=self.number(max(size_bytes / 1024, 0.1)))
        return self._words("unit.mib", n=self.number(size_bytes / 1024 / 1024))
