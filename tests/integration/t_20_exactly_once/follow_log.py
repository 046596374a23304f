"""Follows a log into a database as the agent does, until it has read an end mark; run to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mailweir.config import load
from mailweir.postlog.follow import Follower
from mailweir.records import db
from mailweir.records.ingest import Ingest

END = b"the end\n"


def main(path: str, batch: int) -> None:
    """Take lines in, some at a time, as long as the end mark has not come."""
    config = load()
    ingest = Ingest(db.connect(config), 0)
    follower = Follower(path, ingest.position("log"))
    while True:
        ended = Path(path).exists() and Path(path).read_bytes().endswith(END)  # looked at before reading
        chunk = follower.read(batch)
        if chunk:
            ingest.take(log=chunk, now=1_798_761_600.0)
        elif ended:
            return
        else:
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
