"""The systemd units: systemd itself reads them, what they start exists, and their rights fit what it does."""

from __future__ import annotations

import os
import pwd
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mailweir import cli
from mailweir.config import Config, Helper, Milter
from mailweir.errors import MailweirError
from mailweir.records import audit, db
from tests.harness import units

PROGRAM = Path(sys.executable).with_name("mailweir")
INSTALLED = "/opt/mailweir/bin/mailweir"
WORST = 3.0  # exposure of 10 that `systemd-analyze security` may find


@pytest.fixture
def copied(tmp_path: Path) -> list[Path]:
    """The units, with the program where it stands here."""
    for name in units.names():
        text = (units.DIRECTORY / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace(INSTALLED, str(PROGRAM)))
    return sorted(tmp_path.glob("*.service"))


def test_systemd_understands_every_line(copied: list[Path]) -> None:
    assert len(copied) == 4
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *copied], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_mistake_would_be_noticed(copied: list[Path]) -> None:
    copied[0].write_text(copied[0].read_text().replace("NoNewPrivileges", "NoNewPrivilege"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copied[0]], capture_output=True, text=True, check=False
    )
    assert "NoNewPrivilege" in done.stderr


@pytest.mark.parametrize("name", units.names())
def test_what_a_broken_in_process_could_reach_is_little(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={WORST * 10:.0f}"]
    done = subprocess.run([*command, units.DIRECTORY / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


@pytest.mark.parametrize("name", units.names())
def test_the_command_is_one_of_ours(name: str) -> None:
    (command,) = units.settings(name)["ExecStart"]
    program, *arguments = shlex.split(command)
    assert program == INSTALLED and Path(program).name == PROGRAM.name
    assert name == f"mailweir-{arguments[0]}.service" and arguments[0] in cli.COMMANDS
    done = subprocess.run([PROGRAM, *arguments, "--help"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"Usage: mailweir {arguments[0]}")


def test_sockets_and_state_stand_where_the_units_allow_it() -> None:
    state, _, place = Config().state_dir.rpartition("/")
    assert state == "/var/lib"
    for name in ("mailweir-agent.service", "mailweir-milter.service"):
        found = units.settings(name)
        assert (found["StateDirectory"], found["User"]) == ([place], [Helper().allowed_user])
    assert Config().state_dir in units.settings("mailweir-web.service")["ReadWritePaths"]
    helper = units.settings("mailweir-queue-helper.service")
    assert [f"/run/{helper['RuntimeDirectory'][0]}"] == [str(Path(Helper().socket).parent)]
    assert "User" not in helper
    socket_path = Path(Milter().socket.removeprefix("unix:"))
    writable = units.settings("mailweir-milter.service")["ReadWritePaths"][0].split()
    assert str(socket_path.parent) in [path.removeprefix("-") for path in writable]


@pytest.mark.parametrize("name", ["mailweir-agent.service", "mailweir-queue-helper.service"])
def test_postfix_s_commands_see_the_machine_s_interfaces(name: str) -> None:
    """All of them end with an error otherwise, where inet_interfaces or mynetworks depends on these."""
    found = units.settings(name)
    assert "AF_NETLINK" in found["RestrictAddressFamilies"][0].split()
    assert "PrivateNetwork" not in found


@pytest.mark.parametrize("first", ["root", "nobody", "daemon"])
def test_agent_and_pages_write_to_one_database_whoever_begins_it(state: Path, first: str) -> None:
    """Two users of one group, with the units' umask; root is somebody with the command line."""
    config = Config(state_dir=str(state / "mailweir"))
    Path(config.state_dir).mkdir()
    mode = int(units.settings("mailweir-agent.service")["StateDirectoryMode"][0], 8)
    agent, pages = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
    os.chown(config.state_dir, agent.pw_uid, agent.pw_gid)
    Path(config.state_dir).chmod(mode)

    def write() -> None:
        database = db.connect(config)
        audit.append(database, clock=lambda: 1.0, who="x", ip="", what="x")
        database.close()

    order = {"root": pwd.getpwnam("root"), "nobody": agent, "daemon": pages}
    for user in (order[first], agent, pages, agent):
        name = "mailweir-web.service" if user is pages else "mailweir-agent.service"
        umask = int(units.settings(name)["UMask"][0], 8) if user.pw_uid else 0o022
        group = agent.pw_gid if user.pw_uid else 0
        assert as_user(user, [], write, group=group, umask=umask), user.pw_name


def as_user(
    user: pwd.struct_passwd,
    groups: list[int],
    do: Callable[[], object],
    *,
    group: int | None = None,
    umask: int = 0o077,
) -> bool:
    """Whether a process of that user can do it."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setgid(user.pw_gid if group is None else group)
            os.setuid(user.pw_uid)
            os.umask(umask)
            do()
        except (OSError, MailweirError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_smtpd_may_use_the_filter_s_socket(state: Path) -> None:
    """With the default settings, the directory that the unit makes, and its umask."""
    prepare = shlex.split(units.settings("mailweir-milter.service")["ExecStartPre"][0].lstrip("+"))
    directory = state / "mailweir"
    swap = {"mailweir": "nobody", "/var/spool/postfix/mailweir": str(directory)}
    subprocess.run([swap.get(word, word) for word in prepare], check=True)
    postfix, nobody, stranger = (pwd.getpwnam(name) for name in ("postfix", "nobody", "daemon"))
    umask = int(units.settings("mailweir-milter.service")["UMask"][0], 8)
    path = str(directory / "milter.sock")
    with socket.socket(socket.AF_UNIX) as listener:

        def listen() -> None:
            listener.bind(path)
            Path(path).chmod(int(Milter().socket_mode, 8))

        assert as_user(nobody, [postfix.pw_gid], listen, umask=umask)
        listener.listen()
        for user, may in ((postfix, True), (stranger, False)):
            with socket.socket(socket.AF_UNIX) as client:
                assert as_user(user, [], lambda client=client: client.connect(path)) is may  # type: ignore[misc]
