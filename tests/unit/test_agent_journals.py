"""Following the journals over rotation, restarts and clean-up: every line once, in order."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

from mailweir.agent.journals import Journals
from mailweir.milter.journal import Journal
from mailweir.postlog.position import Position

WRITTEN = 400


class Reader:
    """Reads like the agent does, and can be killed: positions survive, the object does not."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.positions: dict[str, Position] = {}
        self.lines: list[str] = []
        self.restart()

    def restart(self) -> None:
        self.journals = Journals(self.directory, self.positions.get)

    def read(self) -> list[str]:
        new: list[str] = []
        while chunks := self.journals.read():
            for name, chunk in chunks.items():
                new += chunk.texts
                self.positions[name] = chunk.position
        self.lines += new
        return new


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rotate(path: Path, stamp: int) -> None:
    path.rename(path.with_name(f"{path.stem}-{stamp}.journal"))


def test_lines_come_once_and_only_when_whole(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "journal")
    assert reader.read() == []
    reader.directory.mkdir()
    append(reader.directory / "00.journal", "a\nb\nha")
    append(reader.directory / "07.journal", "x\n")
    append(reader.directory / "notes.txt", "no\n")
    assert reader.read() == ["a", "b", "x"]
    append(reader.directory / "00.journal", "lf\n")
    assert reader.read() == ["half"]
    reader.restart()
    assert reader.read() == []
    assert reader.journals.lag() == 0


def test_two_rotations_between_two_looks(tmp_path: Path) -> None:
    reader, file = Reader(tmp_path), tmp_path / "00.journal"
    append(file, "1\n")
    assert reader.read() == ["1"]
    for stamp in (100, 99_000, 1_000_000):  # numbers, not text, decide the order
        append(file, f"{stamp}\n")
        rotate(file, stamp)
    append(file, "last\n")
    assert reader.read() == ["100", "99000", "1000000", "last"]
    assert len(reader.journals.remove_older_than(2**40)) == 3
    reader.restart()
    append(file, "on\n")
    assert reader.read() == ["on"]


def test_a_restart_after_rotations_and_a_large_line(tmp_path: Path) -> None:
    reader, file = Reader(tmp_path), tmp_path / "00.journal"
    append(file, "1\n2\n")
    assert reader.read() == ["1", "2"]
    append(file, "3\n")
    rotate(file, 5)
    append(file, "4\n" + "x" * 9_000_000 + "\n5\n")
    reader.restart()
    assert [line[:2] for line in reader.read()] == ["3", "4", "xx", "5"]
    assert reader.journals.remove_older_than(0) == []


def test_a_writer_that_rotates_all_the_time_while_we_read(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    journal = Journal(
        tmp_path, 0, rotate_above=20, slow_after=10.0, warn=print
    )  # a new file every other line
    wanted = [str(number) for number in range(WRITTEN)]

    def write() -> None:
        for number in wanted:
            journal.append({"id": int(number)})
        journal.close()

    writer = Thread(target=write)
    writer.start()
    while writer.is_alive():
        reader.read()
    writer.join()
    reader.read()
    assert [str(json.loads(line)["id"]) for line in reader.lines] == wanted
