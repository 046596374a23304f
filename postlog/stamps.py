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
LATEST = (1 << 42) / 1000  # seconds since 1970; IDs hold no later time (records/ids.py)
DAY = 86_400.0
WEEK = 7 * DAY
LATE = 300.0  # seconds back up to which a line is late; more, in autumn, and it is the repeated hour's


class Stamps:
    """Reads the stamps of one file's lines in order."""

    def __init__(self, reference: float, last: float | None = None) -> None:
        """reference: a moment at or after the first line (the file's modification time, or now), which gives
        its year; last: the time of the line before, when reading goes on."""
        self.last = last
        self.steps_back = 0  # how often the clock went back by more than a minute
        self.has_year = False  # whether the last stamp read named its year
        self._reference = reference
        self._anchor = last  # the time that years are inferred from; one odd line does not move it
        self._odd: float | None = None
        self._minute = ""  # the stamp up to the minute …
        self._minute_seconds = 0.0  # … and its seconds since 1970
        self._zone = ""

    def shift(self, seconds: float, years: int) -> None:
        """Start from that moment in another year: what was inferred was wrong by so many."""
        moved = _time.localtime(seconds)
        self.last = self._anchor = _time.mktime((moved.tm_year + years, *moved[1:6], 0, 0, -1))
        self._minute = ""

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
        if line[6:7] + line[9:10] + line[12:13] + line[15:16] != " :: ":
            raise ValueError(line[:16])
        self.has_year = False
        return line[:16], self._seen(self._minute_seconds + int(line[13:15]))

    def _nearest(self, month: int, day: int, hour: int, minute: int) -> float:
        """Seconds since 1970 in the year that brings it nearest to the lines before."""
        anchor = self._anchor
        wanted = self._reference if anchor is None else anchor
        year = _time.localtime(wanted).tm_year
        best: float | None = None
        for candidate in (year, year - 1, year - 2, year - 3, year - 4) if anchor is None else (
            year, year - 1, year + 1
        ):  # fmt: skip
            try:
                seconds = self._in_year(candidate, month, day, hour, minute, anchor)
            except ValueError:  # 29 February
                continue
            if anchor is None and seconds > wanted + DAY:
                continue
            if best is None or abs(seconds - wanted) < abs(best - wanted):
                best = seconds
        if best is None:
            raise ValueError(f"{month}-{day}")
        self._move_anchor(best)
        return best

    def _move_anchor(self, seconds: float) -> None:
        """Follow the lines; a leap of more than a week counts once a second line confirms it."""
        near = self._anchor is None or abs(seconds - self._anchor) < WEEK
        if near or (self._odd is not None and abs(seconds - self._odd) < DAY):
            self._anchor, self._odd = seconds, None
        else:
            self._odd = seconds

    @staticmethod
    def _in_year(year: int, month: int, day: int, hour: int, minute: int, last: float | None) -> float:
        datetime(year, month, day)  # noqa: DTZ001 - only to refuse 30 February
        seconds = _time.mktime((year, month, day, hour, minute, 0, 0, 0, -1))
        if last is not None and last - seconds > LATE:
            # The hour that autumn's clock change repeats: this is its second occurrence.
            winter = _time.mktime((year, month, day, hour, minute, 0, 0, 0, 0))
            real = _time.localtime(winter)
            second = real.tm_isdst == 0 and real[1:5] == (month, day, hour, minute)
            if second and winter - last < 3600 - LATE:
                return winter
        return seconds

    def _rfc3339(self, line: str) -> tuple[str, float]:
        stamp, found, _ = line[:40].partition(" ")
        if not found or stamp[10:11] not in ("T", "t"):
            raise ValueError(stamp)
        if stamp[:17] != self._minute or not stamp.endswith(self._zone or "\0"):
            self._minute_seconds = self._start_of_minute(stamp)
            self._minute, self._zone = stamp[:17], stamp[19:].lstrip(".0123456789") or "\0"
        seconds = stamp[17 : len(stamp) - len(self._zone)] if self._zone != "\0" else stamp[17:]
        self.has_year = True
        return stamp + " ", self._seen(self._minute_seconds + float(seconds))

    def _start_of_minute(self, stamp: str) -> float:
        when = datetime.fromisoformat(stamp.upper())
        return when.replace(second=0, microsecond=0).timestamp()

    def _seen(self, seconds: float) -> float:
        if not 0 <= seconds < LATEST:
            raise ValueError(seconds)
        if self.last is not None and seconds < self.last - 60:
            self.steps_back += 1
        self.last = seconds
        return seconds
