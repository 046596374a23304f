"""Makes the corpus: `python tests/data/content/make.py DIRECTORY` writes the files and labels.json."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

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
    """Make every file; several seconds."""
    corpus = Corpus(directory)
    for maker in MAKERS:
        with tempfile.TemporaryDirectory() as work:
            maker.make(corpus, Path(work))
    corpus.save()
    return corpus


if __name__ == "__main__":
    made = make(Path(sys.argv[1]))
    print(f"{len(made.labels)} files in {sys.argv[1]}")
