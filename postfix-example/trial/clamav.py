"""A clamd of our own with a handful of signatures.

It starts in a second and needs no download, yet is the very scanner that an administrator has.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from trial.processes import Processes
from trial.waiting import wait_for

PROGRAM = Path("/usr/sbin/clamd")

# The EICAR test file, taken apart so that no scanner mistakes this source for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
BODY_MARK = b"MAILWEIR-TEST-SIGNATURE-IN-A-BODY"

# Two of the formats by which ClamAV finds bytes anywhere in a file: plain and logical signatures.
SIGNATURES = {
    "mailweir.ndb": f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n",
    "mailweir.ldb": f"Mailweir.Test.Body;Engine:81-255,Target:0;0;{BODY_MARK.hex()}\n",
}


@dataclass(frozen=True)
class Clamd:
    """The scanner below `directory`, which clamd's user must be able to enter."""

    directory: Path

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / "clamd.sock"

    @property
    def address(self) -> str:
        """The same, as Mailweir's settings name it."""
        return f"unix:{self.socket}"

    def start(self, processes: Processes, name: str = "clamd") -> None:
        """Write its files, start it, and wait until it answers."""
        database = self.directory / "db"
        database.mkdir(parents=True, exist_ok=True)
        for file, signatures in SIGNATURES.items():
            (database / file).write_text(signatures)
        # A copy of the program: AppArmor's profile for the installed one would keep it out of our directory.
        program = self.directory / "clamd"
        if not program.exists():  # one that was killed a moment ago may still be on its way out
            shutil.copy(PROGRAM, program)
        configuration = self.directory / "clamd.conf"
        configuration.write_text(
            f"DatabaseDirectory {database}\n"
            f"LocalSocket {self.socket}\n"
            f"TemporaryDirectory {self.directory}\n"
            "Foreground yes\n"
            "FixStaleSocket yes\n"
            "StreamMaxLength 100M\n"
            "MaxThreads 4\n"
            "SelfCheck 3600\n"
        )
        self.socket.unlink(missing_ok=True)
        processes.start(name, [program, "--config-file", configuration])
        wait_for(lambda: self.socket.is_socket() or not processes.alive(name), "clamd's socket", deadline=60)
        if not processes.alive(name):
            raise RuntimeError(f"clamd does not start; {processes.log(name)} says why")
