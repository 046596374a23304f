"""Settings: defaults, file, environment; every wrong value is named with the place where it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailweir import config
from mailweir.config import Config, example, load, reference, settings
from mailweir.errors import ConfigError


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mailweir.toml"
    path.write_text(text)
    return path


def test_defaults_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.toml")
    assert load(environ={}) == Config()


def test_file_then_environment(tmp_path: Path) -> None:
    path = file(
        tmp_path, 'state_dir = "/srv/mw"\n[database]\nbusy_timeout = 3\n[clamd]\nservers = ["tcp:a:1"]\n'
    )
    read = load(path, {})
    assert read.state_dir == "/srv/mw"
    assert read.database.busy_timeout == 3.0
    assert isinstance(read.database.busy_timeout, float)
    assert read.clamd.servers == ["tcp:a:1"]
    assert read.milter == Config().milter
    over = load(
        path, {"MAILWEIR_STATE_DIR": "/x", "MAILWEIR_CLAMD_SERVERS": " unix:/a , tcp:b:2,", "OTHER": "1"}
    )
    assert (over.state_dir, over.clamd.servers) == ("/x", ["unix:/a", "tcp:b:2"])
    assert load(None, {"MAILWEIR_CONFIG": str(path)}).state_dir == "/srv/mw"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("state_dri = 'x'", r"mailweir\.toml: there is no setting state_dri; did you mean state_dir\?"),
        ("[nothing]\nx = 1", "there is no setting nothing.x"),
        ("[database]\nurl = 5", "database.url must be a str, not 5"),
        ("[milter]\nworkers = true", "milter.workers must be a int, not True"),
        ("[milter]\nworkers = 1.5", "milter.workers must be a int"),
        ("[milter]\nworkers = -1", "milter.workers must not be negative"),
        ("[clamd]\nservers = 'unix:/x'", "clamd.servers must be a list of strings"),
        ("[clamd]\nservers = [1]", "clamd.servers must be a list of strings"),
        ("[database]\nbusy_timeout = nan", "database.busy_timeout must be a finite number"),
        ("[database]\nbusy_timeout = inf", "database.busy_timeout must be a finite number"),
        ("database = 1", "there is no setting database"),
        ("state_dir = {a = 1}", "there is no setting state_dir.a"),
        ("x = ", "cannot be read"),
        ("state_dir = 'a'\nstate_dir = 'b'", "cannot be read"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(file(tmp_path, text), {})


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; `mailweir config example"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(ConfigError, match="no such file"):
        load(None, {"MAILWEIR_CONFIG": str(tmp_path / "none.toml")})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"state_dir = '\xfc'")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(latin, {})


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("MAILWEIR_MILTER_WORKERS", "many", "MILTER_WORKERS: 'many' is not a int"),
        ("MAILWEIR_MILTER_WORKERS", "-2", "must not be negative"),
        ("MAILWEIR_WEB_SECURE_COOKIE", "perhaps", "WEB_SECURE_COOKIE: 'perhaps' is not a bool"),
        ("MAILWEIR_CLAMD_TIMEOUT", "", "CLAMD_TIMEOUT: '' is not a float"),
        ("MAILWEIR_CLAMD_TIMEOUT", "nan", "must be a finite number"),
    ],
)
def test_wrong_environment(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(None, {name: text})


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("Yes", True), ("TRUE", True), ("0", False), ("no", False)]
)
def test_switches_in_the_environment(text: str, value: bool) -> None:
    assert load(None, {"MAILWEIR_WEB_SECURE_COOKIE": text}).web.secure_cookie is value


def test_every_setting_says_what_it_means() -> None:
    known = list(settings())
    assert len({setting.env for setting in known}) == len(known)
    for setting in known:
        assert len(setting.meaning) > 10, setting.name
        assert setting.unit or setting.type is not float, f"{setting.name} has no unit"


def test_the_example_says_the_defaults(tmp_path: Path) -> None:
    lines = [line[2:] if line.startswith("# ") and " = " in line else line for line in example().splitlines()]
    uncommented = "\n".join(line for line in lines if line.startswith("[") or " = " in line)
    parsed = tomllib.loads(uncommented.replace("An environment variable", "#"))
    assert parsed
    assert load(file(tmp_path, uncommented), {}) == Config()
    assert load(file(tmp_path, example()), {}) == Config()


def test_the_reference_names_every_setting() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [setting.name for setting in settings()]


def test_derived_paths() -> None:
    read = load(None, {"MAILWEIR_STATE_DIR": "/s"})
    assert read.database_url == "sqlite:////s/mailweir.db"
    assert str(read.journal_dir) == "/s/journal"
    assert load(None, {"MAILWEIR_DATABASE_URL": "sqlite:///x"}).database_url == "sqlite:///x"
