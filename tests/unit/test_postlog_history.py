"""Past logs: compressed ones, several in the order of time, years, positions; and `mailweir import-log`."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backports import zstd
from click.testing import CliRunner

from mailweir.cli import mailweir
from mailweir.errors import InputError
from mailweir.postlog.follow import Follower
from mailweir.postlog.history import History, Source
from mailweir.records.ingest import Ingest
from tests.unit.postlog_records import INCIDENTS, NOW, in_utc, open_database

LINES = [f"Nov  3 10:{minute:02}:00 mail x[1]: line {minute}" for minute in range(60)]


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    with in_utc():
        yield


def read_all(history: History, most: int = 7) -> list[str]:
    """All lines, some at a time."""
    lines: list[str] = []
    while batch := history.batch(most):
        assert len(batch) <= most
        lines += batch
    return lines


def written(path: Path, lines: list[str], pack: Callable[[bytes], bytes] = bytes) -> Path:
    """A log of those lines."""
    path.write_bytes(pack("".join(line + "\n" for line in lines).encode()))
    return path


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)  # fmt: skip
def test_a_log_however_it_is_compressed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path / "mail.log.1", LINES, pack)
    source = Source(str(path))
    assert source.identity == Source(str(written(tmp_path / "plain", LINES))).identity
    assert read_all(History([source], None)) == LINES
    assert source.offset == sum(len(line) + 1 for line in LINES)


def test_files_that_overlap_are_merged_by_time(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a", LINES[::2]), written(tmp_path / "b", LINES[1::2])]
    assert read_all(History([Source(str(path)) for path in reversed(paths)], None)) == LINES


def test_files_that_follow_each_other_over_new_year(tmp_path: Path) -> None:
    older = written(tmp_path / "mail.log.1", ["Dec 31 23:00:00 mail x[1]: old"])
    newer = written(tmp_path / "mail.log", ["Jan  1 01:00:00 mail x[1]: new"])
    history = History([Source(str(newer)), Source(str(older))], 2019)
    assert [line[-3:] for line in read_all(history)] == ["old", "new"]
    assert [time.gmtime(source.starts).tm_year for source in history.sources] == [2019, 2020]


def test_going_on_where_it_ended(tmp_path: Path) -> None:
    path = written(tmp_path / "mail.log", LINES)
    first = Source(str(path))
    before = History([first], None).batch(13)
    second = Source(str(path))
    second.skip_to(first.offset)
    assert before + read_all(History([second], None)) == LINES


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Source(str(tmp_path / "missing"))
    broken = written(tmp_path / "broken.gz", LINES * 4000, gzip.compress)
    broken.write_bytes(broken.read_bytes()[:-200])
    with pytest.raises(InputError, match="damaged"):
        read_all(History([Source(str(broken))], None), 100_000)


def run(tmp_path: Path, *arguments: str, given: bytes = b"") -> str:
    """What `mailweir` prints, with a database in that directory."""
    env = {"MAILWEIR_DATABASE_URL": f"sqlite:///{tmp_path}/mailweir.db", "MAILWEIR_AGENT_BATCH": "50"}
    result = CliRunner().invoke(mailweir, list(arguments), env=env, input=io.BytesIO(given))
    assert result.exit_code == 0, result.output
    return result.output


def test_import_log_fills_an_empty_database_once(tmp_path: Path) -> None:
    log = str(next(INCIDENTS.glob("05-*.log")))
    assert "deliveries  4 (2 sent, 1 deferred, 1 bounced)" in run(
        tmp_path, "import-log", "--year", "2019", log
    )
    rows = [json.loads(line) for line in run(tmp_path, "delivery", "--json", "--all").splitlines()]
    assert sorted(row["status"] for row in rows) == ["bounced", "deferred", "sent", "sent"]
    assert all(row["time"].startswith("2019-11-24T17:") for row in rows)
    assert len({row["mail_in_id"] for row in rows}) == 1
    assert "nothing new" in run(tmp_path, "import-log", log)
    packed = tmp_path / "again.gz"
    packed.write_bytes(gzip.compress(Path(log).read_bytes()))
    assert "nothing new" in run(tmp_path, "import-log", str(packed))
    again = run(tmp_path, "delivery", "--json", "--all").splitlines()
    assert len(again) == len(rows)


def test_a_log_that_begins_like_another_is_imported_too(tmp_path: Path) -> None:
    logs = []
    for number, incident in enumerate(("04", "05", "01")):
        logs.append(tmp_path / f"{number}.log")
        logs[-1].write_bytes(
            b"logfile turned over\n" + next(INCIDENTS.glob(f"{incident}-*.log")).read_bytes()
        )
    run(tmp_path, "import-log", str(logs[0]))
    assert "nothing new" not in run(tmp_path, "import-log", str(logs[1]), str(logs[2]))
    for log in logs:
        log.with_suffix(".gz").write_bytes(gzip.compress(log.read_bytes()))
        assert "nothing new" in run(tmp_path, "import-log", str(log))
        assert "nothing new" in run(tmp_path, "import-log", str(log.with_suffix(".gz")))
    lines = json.loads(run(tmp_path, "import-log", "--json", str(logs[0])))
    assert lines["skipped"] == [str(logs[0])]


def test_what_the_agent_followed_is_not_imported_even_when_logs_begin_alike(tmp_path: Path) -> None:
    log, rotated = tmp_path / "mail.log", tmp_path / "mail.log.1"
    database = open_database(tmp_path / "mailweir.db")
    ingest, follower = Ingest(database, 0), Follower(log)
    for incident in ("04", "05"):
        if log.exists():
            log.rename(rotated)
        log.write_bytes(b"logfile turned over\n" + next(INCIDENTS.glob(f"{incident}-*.log")).read_bytes())
        while chunk := follower.read(1000):
            ingest.take(log=chunk, now=NOW)
    database.close()
    assert "nothing new" in run(tmp_path, "import-log", str(log))
    assert "nothing new" in run(tmp_path, "import-log", str(rotated))


def test_the_same_log_is_not_imported_twice_at_once(tmp_path: Path) -> None:
    log = next(INCIDENTS.glob("04-*.log"))
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    env = {"MAILWEIR_DATABASE_URL": f"sqlite:///{tmp_path}/mailweir.db"}
    result = CliRunner().invoke(mailweir, ["import-log", str(log), str(packed)], env=env)
    assert result.exit_code != 0 and "are the same log: name one of them" in str(result.exception)


def test_a_torn_last_line_counts_what_it_has(tmp_path: Path) -> None:
    data = next(INCIDENTS.glob("04-*.log")).read_bytes()
    log = tmp_path / "mail.log"
    log.write_bytes(data.rstrip(b"\n"))
    run(tmp_path, "import-log", str(log))
    assert "nothing new" in run(tmp_path, "import-log", str(log))
    source = Source(str(log))
    while source.take(3, None):
        pass
    assert source.offset == log.stat().st_size and source.holds(source.position())


def test_an_import_goes_on_when_the_file_has_grown(tmp_path: Path) -> None:
    data = next(INCIDENTS.glob("04-*.log")).read_bytes().splitlines(keepends=True)
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(data[:7]))
    run(tmp_path, "import-log", str(log))
    log.write_bytes(b"".join(data))
    assert "deliveries  1 (1 sent)" in run(tmp_path, "import-log", str(log))
    (row,) = [json.loads(line) for line in run(tmp_path, "mail-in", "--json").splitlines()]
    assert (row["status"], row["attempts"]) == ("delivered", 2)
