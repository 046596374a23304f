"""Makes the corpus: `python tests/data/content/make.py [DIRECTORY]` writes the files and labels.json.

Without a directory it stands in one of its own below /var/tmp, named by what made it and made only once; its
path is printed.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
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


def kept() -> Path:
    """The corpus of these very makers, made if it is not there yet."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.*"))))
    directory = Path("/var/tmp", f"mailweir-corpus-{digest.hexdigest()[:16]}")
    if not directory.exists():
        unfinished = Path(tempfile.mkdtemp(dir="/var/tmp"))
        make(unfinished)
        with contextlib.suppress(OSError):  # somebody else was faster
            unfinished.rename(directory)
        shutil.rmtree(unfinished, ignore_errors=True)
    return directory


if __name__ == "__main__":
    if len(sys.argv) > 1:
        made = make(Path(sys.argv[1]))
        print(f"{len(made.labels)} files in {sys.argv[1]}")
    else:
        print(kept())
