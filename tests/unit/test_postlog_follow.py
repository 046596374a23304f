"""Following files: rotation by rename, copytruncate, recreation, restarts, over-long and unfinished lines."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mailweir.errors import Unavailable
from mailweir.postlog.follow import LONGEST_LINE, Follower, open_read_only
from mailweir.postlog.position import Position


class Log:
    """A log that tests write to and rotate."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0

    def rotate(self) -> None:
        """As logrotate does: every file gets the next number, and the log the first."""
        for number in range(9, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.rename(self.path.with_name(f"{self.path.name}.1"))

    def write(self, count: int) -> list[bytes]:
        """Append so many lines, each different from all others."""
        lines = [b"line %d" % number for number in range(self.number, self.number + count)]
        self.number += count
        with self.path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
        return lines


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log in a directory of its own."""
    return Log(tmp_path / "mail.log")


def drain(follower: Follower, max_lines: int = 1000) -> list[bytes]:
    """All lines that are there now."""
    lines: list[bytes] = []
    while chunk := follower.read(max_lines):
        lines += chunk.lines
    return lines


def test_lines_come_once_and_in_order(log: Log) -> None:
    follower = Follower(log.path)
    assert drain(follower) == []  # no such file yet
    first = log.write(5)
    assert drain(follower) == first
    assert drain(follower) == []
    second = log.write(7)
    assert follower.lag() > 0
    assert drain(follower, max_lines=2) == second
    assert follower.lag() == 0


def test_a_log_that_is_not_there_is_told_of_until_it_comes(log: Log) -> None:
    follower = Follower(log.path)
    with pytest.raises(Unavailable, match=r'mail\.log does not exist; .* "journald:'):
        follower.check()
    log.write(1)
    follower.check()
    assert drain(follower)
    log.path.unlink()  # as between rotation and the next line
    follower.check()


def test_a_chunk_never_holds_more_lines_than_asked_for(log: Log) -> None:
    lines = log.write(10)
    chunk = Follower(log.path).read(3)
    assert chunk.lines == lines[:3]
    assert Follower(log.path, chunk.position).read(100).lines == lines[3:]


def test_an_unfinished_line_waits_for_its_end(log: Log) -> None:
    log.path.write_bytes(b"one\ntw")
    follower = Follower(log.path)
    assert drain(follower) == [b"one"]
    with log.path.open("ab") as file:
        file.write(b"o\n")
    assert drain(follower) == [b"two"]


def test_rotation_by_rename_finishes_the_old_file_first(log: Log) -> None:
    follower = Follower(log.path)
    lines = log.write(3)
    assert drain(follower) == lines
    old = log.write(2)
    log.path.rename(log.path.with_name("mail.log.1"))
    assert drain(follower) == old
    late = log.path.with_name("mail.log.1")
    with late.open("ab") as file:  # the logger has not reopened its file yet
        file.write(b"late\n")
    log.path.touch()
    assert drain(follower) == [b"late"]
    new = log.write(2)
    assert drain(follower) == new


def test_several_rotations_between_two_looks_lose_nothing(log: Log) -> None:
    follower = Follower(log.path)
    first = log.write(2)
    assert drain(follower) == first
    lines = []
    for _ in range(3):
        lines += log.write(2)
        log.rotate()
    lines += log.write(2)
    assert follower.lag() == len(b"".join(lines)) + len(lines)
    assert drain(follower) == lines
    assert drain(follower) == [] and follower.lag() == 0


def test_files_rotated_at_the_same_instant_are_read_in_order(log: Log) -> None:
    follower = Follower(log.path)
    lines = log.write(1)
    assert drain(follower) == lines
    more = []
    for _ in range(3):
        log.rotate()
        more += log.write(1)
    for path in log.path.parent.iterdir():  # a file system whose clock ticks slowly
        os.utime(path, ns=(0, 10**18))
    assert drain(follower) == more


def test_a_rotation_between_looking_and_opening_skips_nothing(log: Log) -> None:
    rotations = 3

    def rotate_first(path: Path) -> int:
        nonlocal rotations
        if path != log.path and rotations:
            rotations -= 1
            log.rotate()
            lines.extend(log.write(1))
        return open_read_only(path)

    lines = log.write(1)
    follower = Follower(log.path, opener=rotate_first)
    read = drain(follower)
    for _ in range(2):
        lines += log.write(2)
        log.rotate()
    lines += log.write(1)
    read += drain(follower)
    assert rotations == 0
    assert read == lines


def test_rotated_files_are_opened_as_the_log_is(log: Log) -> None:
    """Where only root may read them, the queue-helper opens them all."""
    opened = []

    def opener(path: Path) -> int:
        opened.append(path.name)
        return open_read_only(path)

    lines = log.write(3)
    position = Follower(log.path, opener=opener).read(1).position
    log.rotate()
    lines += log.write(1)
    assert drain(Follower(log.path, position, opener=opener)) == lines[1:]
    assert set(opened) == {"mail.log", "mail.log.1"}


def test_a_log_that_may_not_be_read_is_an_error_and_read_later(log: Log) -> None:
    allowed = False

    def opener(path: Path) -> int:
        if not allowed:
            raise PermissionError(13, "Permission denied")
        return open_read_only(path)

    lines = log.write(2)
    follower = Follower(log.path, opener=opener)
    with pytest.raises(Unavailable, match=r"mail\.log: the log cannot be read: Permission denied"):
        follower.read(10)
    allowed = True
    assert drain(follower) == lines


def test_the_last_line_of_a_rotated_file_needs_no_line_end(log: Log) -> None:
    follower = Follower(log.path)
    first = log.write(1)
    with log.path.open("ab") as file:
        file.write(b"torn")
    assert drain(follower) == first
    log.path.rename(log.path.with_name("mail.log.1"))
    new = log.write(1)
    assert drain(follower) == [b"torn", *new]


def test_a_rotated_file_of_one_torn_line_is_read(log: Log) -> None:
    follower = Follower(log.path)
    log.path.write_bytes(b"torn")
    assert drain(follower) == []
    log.rotate()
    new = log.write(1)
    assert drain(follower) == [b"torn", *new]


def test_a_file_that_begins_alike_is_not_taken_for_the_one_that_was_read(log: Log) -> None:
    """Some rotation writes the same first line into every log."""
    log.path.write_bytes(b"logfile turned over\n")
    lines = log.write(4)
    position = Follower(log.path).read(4).position
    log.rotate()
    log.path.write_bytes(b"logfile turned over\n")
    new = log.write(9)
    assert drain(Follower(log.path, position)) == [*lines[3:], b"logfile turned over", *new]


def test_a_log_emptied_in_place_that_begins_alike_is_read_from_its_beginning(log: Log) -> None:
    log.path.write_bytes(b"logfile turned over\n")
    log.write(4)
    follower = Follower(log.path)
    assert len(drain(follower)) == 5
    log.path.write_bytes(b"logfile turned over\n")
    new = log.write(9)
    assert drain(follower) == [b"logfile turned over", *new]


def test_a_position_of_an_earlier_version_is_still_found(log: Log) -> None:
    log.write(3)
    position = replace(Follower(log.path).read(2).position, last="")
    assert drain(Follower(log.path, position)) == [b"line 2"]


def test_a_damaged_compressed_file_ends_where_the_damage_is(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    log.write(3)
    position = Follower(log.path).read(1).position
    whole = gzip.compress(log.path.read_bytes(), compresslevel=0)
    log.path.with_name("mail.log.1.gz").write_bytes(whole[:-12])
    log.path.unlink()
    new = log.write(1)
    assert drain(Follower(log.path, position))[-1:] == new
    assert "damaged" in caplog.text


def test_a_file_is_read_once_while_it_is_being_compressed(log: Log) -> None:
    follower = Follower(log.path)
    lines = log.write(2)
    assert drain(follower) == lines
    log.rotate()
    middle, rotated = log.write(2), log.path.with_name("mail.log.2")
    log.rotate()
    log.path.with_name("mail.log.2.gz").write_bytes(gzip.compress(rotated.read_bytes()))
    new = log.write(1)
    assert drain(follower) == middle + new
    rotated.unlink()
    assert drain(follower) == []


def test_copytruncate_reads_what_only_the_copy_still_has(log: Log) -> None:
    follower = Follower(log.path)
    lines = log.write(4)
    assert drain(follower) == lines
    unread = log.write(3)
    shutil.copy(log.path, log.path.with_name("mail.log.1"))
    log.path.write_bytes(b"")
    after = log.write(2)
    assert drain(follower) == unread + after


def test_truncation_is_seen_even_when_the_file_has_grown_past_the_old_offset(log: Log) -> None:
    follower = Follower(log.path)
    lines = log.write(2)
    assert drain(follower) == lines
    log.path.write_bytes(b"")
    after = log.write(50)
    assert drain(follower) == after


def test_a_recreated_file_is_a_new_one(log: Log) -> None:
    follower = Follower(log.path)
    before = log.write(2)
    assert drain(follower) == before
    log.path.unlink()
    assert drain(follower) == []
    after = log.write(3)
    assert drain(follower) == after


@pytest.mark.parametrize("compress", [False, True])
def test_a_restart_goes_on_in_the_rotated_file(log: Log, compress: bool) -> None:
    log.write(3)
    position = Follower(log.path).read(2).position
    more = log.write(2)
    rotated = log.path.with_name("mail.log.2.gz" if compress else "mail.log.2")
    if compress:
        rotated.write_bytes(gzip.compress(log.path.read_bytes()))
        log.path.unlink()
    else:
        log.path.rename(rotated)
    middle = log.write(3)
    log.path.rename(log.path.with_name("mail.log.1"))
    new = log.write(2)
    follower = Follower(log.path, Position.from_dict(position.as_dict()))
    assert drain(follower) == [b"line 2", *more, *middle, *new]
    assert drain(follower) == []
    assert drain(follower) == [] and drain(Follower(log.path, follower.position)) == []
    assert drain(follower) == [] and log.write(1) == drain(follower)


def test_a_restart_with_its_file_gone_begins_with_the_one_there(log: Log) -> None:
    log.write(3)
    position = Follower(log.path).read(2).position
    log.path.unlink()
    new = log.write(2)
    assert drain(Follower(log.path, position)) == new


def test_an_endless_line_comes_in_pieces(log: Log) -> None:
    log.path.write_bytes(b"a\n" + b"\0" * (3 * LONGEST_LINE) + b"\nend\n")
    lines = drain(Follower(log.path))
    assert lines[0] == b"a" and lines[-1] == b"end"
    assert b"".join(lines[1:-1]) == b"\0" * (3 * LONGEST_LINE)


def test_texts_hold_nothing_that_a_database_refuses(log: Log) -> None:
    log.path.write_bytes(b"caf\xe9 \0 \xc3\xa9\nnext\n")
    assert Follower(log.path).read(10).texts == ["caf\\xe9 \\x00 é", "next"]
