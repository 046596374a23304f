"""The time at the start of a log line: RFC 3164 without a year, or RFC 3339.

A year is inferred from the line before: the nearest one fits, so new year's night, late lines of the old year
and a month of silence come out right. Local time follows the system's zone (TZ), also through clock changes.
"""

from __future__ import annotations

import time as _time
from datetime import datetime

MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
DAY = 86_400.0
REPEATED_HOUR = 1_800.0  # seconds back that make a repeated hour likelier than late lines


class Stamps:
    """Reads the stamps of one file's lines in order."""

    def __init__(self, reference: float, year: int | None = None, last: float | None = None) -> None:
        """reference: a moment at or after the first line (the file's modification time, or now), which gives
        the year unless it is given; last: the time of the line before, when reading goes on."""
        self.last = last
        self.steps_back = 0  # how often the clock went back by more than a minute
        self._reference = reference
        self._year = year
        self._minute = ""  # the stamp up to the minute …
        self._minute_seconds = 0.0  # … and its seconds since 1970
        self._zone = ""

    def read(self, line: str) -> tuple[str, float]:
        """The stamp with the space after it, and its time; an empty stamp when there is none."""
        try:
            if line[3:4] == " ":
                return self._rfc3164(line)
            if line[4:5] == "-":
                return self._rfc3339(line)
        except (ValueError, KeyError, OverflowError):
            pass
        return "", self.last or 0.0

    def _rfc3164(self, line: str) -> tuple[str, float]:
        minute = line[:12]
        if minute != self._minute:
            self._minute_seconds = self._nearest(
                MONTHS[line[:3]], int(line[4:6]), int(line[7:9]), int(line[10:12])
            )
            self._minute = minute
        if line[6] != " " or line[9] != ":" or line[12] != ":" or line[15] != " ":
            raise ValueError(line[:16])
        return line[:16], self._seen(self._minute_seconds + int(line[13:15]))

    def _nearest(self, month: int, day: int, hour: int, minute: int) -> float:
        """Seconds since 1970 in the year that brings it nearest to the line before."""
        years: list[int]
        if self.last is not None:
            year = _time.localtime(self.last).tm_year
            years, wanted = [year - 1, year, year + 1], self.last
        elif self._year is not None:
            return self._in_year(self._year, month, day, hour, minute, None)
        else:
            year = _time.localtime(self._reference).tm_year
            years, wanted = [year, year - 1, year - 2, year - 3, year - 4], self._reference
        best: float | None = None
        for candidate in years:
            try:
                seconds = self._in_year(candidate, month, day, hour, minute, self.last)
            except ValueError:  # 29 February
                continue
            if self.last is None and seconds > wanted + DAY:
                continue
            if best is None or abs(seconds - wanted) < abs(best - wanted):
                best = seconds
        if best is None:
            raise ValueError(f"{month}-{day}")
        return best

    @staticmethod
    def _in_year(year: int, month: int, day: int, hour: int, minute: int, last: float | None) -> float:
        datetime(year, month, day)  # noqa: DTZ001 - only to refuse 30 February
        seconds = _time.mktime((year, month, day, hour, minute, 0, 0, 0, -1))
        if last is not None and last - seconds > REPEATED_HOUR:
            # The hour that autumn's clock change repeats: take its second occurrence if that is nearer.
            winter = _time.mktime((year, month, day, hour, minute, 0, 0, 0, 0))
            if (
                _time.localtime(winter)[1:5] == (month, day, hour, minute)
                and abs(winter - last) < last - seconds
            ):
                return winter
        return seconds

    def _rfc3339(self, line: str) -> tuple[str, float]:
        stamp, found, _ = line[:40].partition(" ")
        if not found or stamp[10] not in "Tt":
            raise ValueError(stamp)
        if stamp[:17] != self._minute or not stamp.endswith(self._zone or "\0"):
            self._minute_seconds = self._start_of_minute(stamp)
            self._minute, self._zone = stamp[:17], stamp[19:].lstrip(".0123456789") or "\0"
        seconds = stamp[17 : len(stamp) - len(self._zone)] if self._zone != "\0" else stamp[17:]
        return stamp + " ", self._seen(self._minute_seconds + float(seconds))

    def _start_of_minute(self, stamp: str) -> float:
        when = datetime.fromisoformat(stamp.upper())
        return when.replace(second=0, microsecond=0).timestamp()

    def _seen(self, seconds: float) -> float:
        if self.last is not None and seconds < self.last - 60:
            self.steps_back += 1
        self.last = seconds
        return seconds
