"""Makes the corpus: `python tests/data/content/make.py DIRECTORY` writes the files and labels.json."""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "postfix-example")]

import made_archives  # noqa: E402
import made_limits  # noqa: E402
import made_mail  # noqa: E402
import made_office  # noqa: E402
import made_pdf  # noqa: E402
import made_rar  # noqa: E402
from corpus import Corpus  # noqa: E402

MAKERS = (made_archives, made_rar, made_office, made_pdf, made_mail, made_limits)


def make(directory: Path) -> Corpus:
    """Make every file; ten seconds or so, most of them spent waiting for the tools."""
    corpus = Corpus(directory)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda maker: _one(maker, corpus), MAKERS))
    corpus.save()
    return corpus


def _one(maker: ModuleType, corpus: Corpus) -> None:
    with tempfile.TemporaryDirectory() as work:
        maker.make(corpus, Path(work))


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    print(f"{len(made.labels)} files in {sys.argv[1]}")
