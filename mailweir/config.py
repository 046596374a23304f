"""Every setting, once: its name, default, unit and meaning.

`--help`, the example file, the reference in the docs and the environment overrides are all derived from the
dataclasses below, so none of them can drift from what the programs really read.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from mailweir.errors import ConfigError

DEFAULT_FILE = Path("/etc/mailweir/mailweir.toml")
ENV_PREFIX = "MAILWEIR_"
ENV_FILE = "MAILWEIR_CONFIG"


T = TypeVar("T")


def setting(default: Any, meaning: str, unit: str = "") -> Any:
    """A dataclass field that carries its meaning and unit; lists are copied for each instance."""
    metadata = {"meaning": meaning, "unit": unit}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Node:
    """This Postfix instance among several."""

    name: str = setting("", "name shown on the pages for this node; empty: the host's name")
    number: int = setting(0, "distinguishes the nodes that share a database; 0 to 255, unique")

    @property
    def label(self) -> str:
        """The name to show."""
        return self.name or socket.gethostname()


@dataclass(frozen=True)
class Database:
    """Where the records are kept."""

    url: str = setting(
        "", "sqlite:///PATH or postgresql://USER@HOST/NAME; empty: mailweir.db in the state directory"
    )
    busy_timeout: float = setting(15.0, "how long to wait for another writer before giving up", "seconds")


@dataclass(frozen=True)
class Records:
    """How long records are kept and how they are searched."""

    keep_days: float = setting(400.0, "records of settled mail older than this are removed; 0: never", "days")
    keep_sessions_days: float = setting(
        60.0, "recorded SMTP conversations older than this are removed; 0: never", "days"
    )
    purge_batch: int = setting(500, "messages removed in one transaction", "messages")
    index_batch: int = setting(2_000, "texts taken into the search index in one transaction", "texts")
    search_budget: float = setting(
        1.0, "how long one search of the pages may take before it answers with what it has", "seconds"
    )


@dataclass(frozen=True)
class Milter:
    """The filter that Postfix hands every message to."""

    socket: str = setting(
        "unix:/var/spool/postfix/mailweir/milter.sock",
        "where Postfix reaches the filter: unix:PATH (below the queue directory, for a chrooted smtpd) or "
        "inet:PORT@HOST",
    )
    socket_mode: str = setting("0660", "permissions of a unix socket", "octal")
    socket_group: str = setting("", "group that owns a unix socket, such as postfix; empty: left alone")
    workers: int = setting(0, "worker processes; 0: one for each processor, two at the least")
    timeout: int = setting(600, "how long Postfix may stay silent before a connection is closed", "seconds")
    spool_above: int = setting(262_144, "larger messages are kept in a file instead of memory", "bytes")
    stop_grace: float = setting(10.0, "how long messages in hand may take to finish at a stop", "seconds")
    longest_pause: float = setting(
        10.0, "a worker that keeps dying is started again after growing pauses, up to this one", "seconds"
    )
    filtering_after: float = setting(
        2.0, "a message that takes longer to look into is shown as filtering meanwhile", "seconds"
    )
    handover_timeout: float = setting(
        30.0, "how long Postfix's holding service may take to answer one command", "seconds"
    )
    trusted_authserv: list[str] = setting(
        [], "authserv-ids whose Authentication-Results header is believed (RFC 8601)"
    )


@dataclass(frozen=True)
class Journal:
    """The synced files in which the filter notes each message before it answers Postfix."""

    rotate_above: int = setting(
        67_108_864, "a journal larger than this is closed and a new one begun", "bytes"
    )
    max_listed: int = setting(
        500, "how many attachments, and how many findings, of one message are noted at most", "each"
    )
    keep: float = setting(72.0, "how long a journal that has been taken into the records is kept", "hours")


@dataclass(frozen=True)
class Clamd:
    """The virus scanner."""

    servers: list[str] = setting(
        ["unix:/run/clamav/clamd.ctl"], "clamd servers, tried in this order: unix:PATH or tcp:HOST:PORT"
    )
    timeout: float = setting(60.0, "how long one scan may take", "seconds")
    connect_timeout: float = setting(5.0, "how long connecting to one server may take", "seconds")
    max_stream: int = setting(
        104_857_600, "larger parts are not sent; keep it at clamd's StreamMaxLength or below", "bytes"
    )
    unavailable: str = setting(
        "defer", "verdict while no server answers: defer (451, the sender tries again), stall or accept"
    )


@dataclass(frozen=True)
class Content:
    """How far the walk through a message's parts and archives goes before it says limit-exceeded."""

    max_depth: int = setting(12, "how deep containers may be nested", "levels")
    max_files: int = setting(10_000, "how many files one message may unpack to", "files")
    max_bytes: int = setting(536_870_912, "how much one message may unpack to", "bytes")
    max_ratio: int = setting(250, "how many times its packed size a large file may unpack to", "times")
    ratio_from: int = setting(33_554_432, "a file is large for max_ratio above this unpacked size", "bytes")
    time_budget: float = setting(30.0, "how long looking into one message may take", "seconds")
    child_memory: int = setting(
        536_870_912, "memory that a process opening hostile formats may take", "bytes"
    )
    children: int = setting(2, "such processes kept ready by each worker", "processes")
    try_body_passwords: bool = setting(
        False, "try words of the message's own text that look like passwords on its encrypted files"
    )
    max_passwords: int = setting(20, "how many such words are tried on one message", "words")


@dataclass(frozen=True)
class Postfix:
    """The Postfix instance that this node looks after."""

    config_directory: str = setting("/etc/postfix", "the instance's config_directory")
    command_directory: str = setting("/usr/sbin", "where postsuper, postqueue and postcat stand")
    log: str = setting(
        "/var/log/mail.log", "its log: a file, or journald:UNIT (such as journald:postfix@-.service)"
    )
    queue_interval: float = setting(5.0, "how often the queue is listed", "seconds")
    holding_service: str = setting(
        "127.0.0.1:10026", "the smtpd that holds what it is given, for recipients stalled apart from others"
    )
    copy_service: str = setting(
        "",
        "an smtpd like holding_service but with receive_override_options=no_address_mappings, for the copies "
        "that an act on some recipients of a message makes; only needed with always_bcc and the like; "
        "empty: holding_service",
    )
    resubmit_service: str = setting(
        "127.0.0.1:10027", "the smtpd without filters, for notices and for one recipient of several"
    )


@dataclass(frozen=True)
class Agent:
    """The process that follows the log and carries out what the pages ask for."""

    poll: float = setting(0.25, "how often journals, log and commands are looked at", "seconds")
    batch: int = setting(20_000, "log lines taken into the records in one transaction", "lines")
    lifetimes_interval: float = setting(
        60.0, "how often pending mail past its lifetime is looked for", "seconds"
    )
    unlock_attempts: int = setting(
        10, "wrong passwords that may be tried on one message in an hour", "passwords"
    )
    unlock_timeout: float = setting(90.0, "how long unlocking one message may take", "seconds")
    content_most: int = setting(
        10_000_000, "how much of a message in the queue the pages may be given to show", "bytes"
    )
    content_keep: float = setting(
        600.0,
        "how long what was read of a message can be looked at, before it must be asked for again",
        "seconds",
    )
    lifetime_warning: float = setting(0.2, "the last part of a lifetime, in which the pages warn", "share")
    clock_grace: float = setting(
        3600.0, "after a boot or a jump of the clock, how long no mail is ended", "seconds"
    )


@dataclass(frozen=True)
class Helper:
    """The small root process that runs Postfix's queue commands."""

    socket: str = setting("/run/mailweir/helper.sock", "the unix socket on which it listens")
    allowed_user: str = setting("mailweir", "the only user, besides root, that it serves")
    timeout: float = setting(30.0, "how long one queue command may take", "seconds")
    parallel: int = setting(8, "requests worked on at the same time", "requests")


@dataclass(frozen=True)
class Notices:
    """Mail that Mailweir itself sends."""

    sender: str = setting("", "address in the From header of notices; empty: mailweir@ and the host's name")
    administrators: list[str] = setting([], "who hears of stalled mail, unless a policy names others")
    interval: float = setting(300.0, "at most one notice to the same addresses in this time", "seconds")
    most: int = setting(20, "how many messages one notice describes; of more it tells the number", "messages")
    fresh: float = setting(3600.0, "no notices of mail that was stalled longer ago than this", "seconds")
    templates: str = setting(
        "", "a directory with templates of your own for notices; empty: the built-in ones"
    )


@dataclass(frozen=True)
class Web:
    """The pages."""

    bind: str = setting("127.0.0.1:8025", "address and port of the pages")
    url: str = setting("", "how people reach the pages, for links in notices; empty: http:// and the bind")
    workers: int = setting(2, "worker processes", "processes")
    threads: int = setting(4, "threads of each worker", "threads")
    session_hours: float = setting(12.0, "a log-in ends after this long", "hours")
    secure_cookie: bool = setting(
        False, "send the log-in cookie over HTTPS only; set it once a proxy with TLS stands in front"
    )
    page_rows: int = setting(50, "rows on a page", "rows")
    proxies: int = setting(
        0, "reverse proxies in front whose X-Forwarded-For, -Proto and -Host headers are believed", "proxies"
    )
    login_limit: str = setting(
        "10 per minute",
        "wrong log-ins from one address, and for one name from addresses not known as its user's",
    )
    content_role: str = setting(
        "administrator",
        "the role from which on a user may read the content of messages (viewer, operator, administrator)",
    )
    act_wait: float = setting(
        2.0,
        "how long a page waits for the agent to carry out an act before it shows it as asked for",
        "seconds",
    )


@dataclass(frozen=True)
class Config:
    """All settings; read it with `load`."""

    state_dir: str = setting(
        "/var/lib/mailweir", "where journals, spool, policy snapshot and SQLite file stand"
    )
    node: Node = field(default_factory=Node)
    database: Database = field(default_factory=Database)
    records: Records = field(default_factory=Records)
    milter: Milter = field(default_factory=Milter)
    journal: Journal = field(default_factory=Journal)
    clamd: Clamd = field(default_factory=Clamd)
    content: Content = field(default_factory=Content)
    postfix: Postfix = field(default_factory=Postfix)
    agent: Agent = field(default_factory=Agent)
    helper: Helper = field(default_factory=Helper)
    notices: Notices = field(default_factory=Notices)
    web: Web = field(default_factory=Web)

    @property
    def database_url(self) -> str:
        """The database's URL with the default filled in."""
        return self.database.url or f"sqlite:///{self.state_dir}/mailweir.db"

    @property
    def journal_dir(self) -> Path:
        """Where the workers write their journals."""
        return Path(self.state_dir, "journal")

    @property
    def spool_dir(self) -> Path:
        """Where large messages stand while they are scanned."""
        return Path(self.state_dir, "spool")

    @property
    def policy_snapshot(self) -> Path:
        """The file through which the agent tells the workers the policies."""
        return Path(self.state_dir, "policies.json")

    @property
    def audit_head(self) -> Path:
        """Where the agent remembers the last row of the audit trail."""
        return Path(self.state_dir, "audit-head.json")

    @property
    def secret_key_file(self) -> Path:
        """The key that signs the pages' cookies."""
        return Path(self.state_dir, "web-secret")


@dataclass(frozen=True)
class Setting:
    """One setting as data, for help, docs and the example file."""

    name: str
    default: Any
    unit: str
    meaning: str
    type: type[Any]

    @property
    def env(self) -> str:
        """The environment variable that overrides it: `MAILWEIR_` and the name in capitals."""
        return ENV_PREFIX + self.name.replace(".", "_").upper()


def settings() -> Iterator[Setting]:
    """Every setting in the order of the file."""
    yield from _settings_of(Config, "")


def _settings_of(section: type[Any], prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(section)
    for item in dataclasses.fields(section):
        hint = hints[item.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from _settings_of(hint, f"{item.name}.")
            continue
        factory = item.default_factory
        default = item.default if factory is dataclasses.MISSING else factory()
        kind = list if get_args(hint) else hint
        yield Setting(prefix + item.name, default, item.metadata["unit"], item.metadata["meaning"], kind)


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the TOML file, then let the environment override single settings.

    A missing file is an error only when it was named, by `path` or `MAILWEIR_CONFIG`.
    Raises ConfigError naming the setting and where it stands.
    """
    environ = os.environ if environ is None else environ
    named = path or (Path(environ[ENV_FILE]) if environ.get(ENV_FILE) else None)
    values = _from_file(named or DEFAULT_FILE, required=named is not None)
    for known in settings():
        if known.env in environ:
            values[known.name] = _from_text(known, environ[known.env])
    return _build(Config, values, "")


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise ConfigError(f"{path}: no such file; `mailweir config example > {path}` makes one") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    known = {item.name: item for item in settings()}
    values: dict[str, Any] = {}
    for name, value in _flatten(document):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{path}: there is no setting {name}{hint}")
        values[name] = _checked(known[name], value, str(path))
    return values


def _flatten(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _checked(known: Setting, value: Any, where: str) -> Any:
    if known.type is float and type(value) is int:
        return float(value)
    fits = type(value) is known.type and (known.type is not list or all(type(item) is str for item in value))
    if not fits:
        wanted = "list of strings" if known.type is list else known.type.__name__
        raise ConfigError(f"{where}: {known.name} must be a {wanted}, not {value!r}")
    if known.type is float and not math.isfinite(value):
        raise ConfigError(f"{where}: {known.name} must be a finite number, not {value}")
    if known.type in (int, float) and value < 0:
        raise ConfigError(f"{where}: {known.name} must not be negative, but is {value}")
    return value


def _from_text(known: Setting, text: str) -> Any:
    """An environment variable's text as the setting's type; lists are separated by commas."""
    try:
        if known.type is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        if known.type is list:
            return [item.strip() for item in text.split(",") if item.strip()]
        return _checked(known, known.type(text), f"environment variable {known.env}")
    except (KeyError, ValueError):
        raise ConfigError(
            f"environment variable {known.env}: {text!r} is not a {known.type.__name__}"
        ) from None


def _build(section: type[T], values: Mapping[str, Any], prefix: str) -> T:
    hints = get_type_hints(section)
    arguments: dict[str, Any] = {}
    for item in dataclasses.fields(section):  # type: ignore[arg-type]
        name = prefix + item.name
        if dataclasses.is_dataclass(hints[item.name]):
            arguments[item.name] = _build(hints[item.name], values, f"{name}.")
        elif name in values:
            arguments[item.name] = values[name]
    return section(**arguments)


def example() -> str:
    """The annotated example file: every setting with its default, commented out."""
    lines = [
        "# Mailweir's settings. Each stands here with its default; remove the # to change it.",
        "# An environment variable overrides a setting: database.url is MAILWEIR_DATABASE_URL.",
    ]
    section = ""
    for known in settings():
        head, _, key = known.name.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"[{head}]"]
        unit = f" [{known.unit}]" if known.unit else ""
        lines += [f"# {known.meaning}{unit}", f"# {key} = {toml(known.default)}"]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The settings as a Markdown table, for docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made from `mailweir/config.py` by `mailweir config reference`; change it there.",
        "",
        "| setting | default | unit | meaning | environment variable |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{known.name}` | `{toml(known.default)}` | {known.unit} | {known.meaning} | `{known.env}` |"
        for known in settings()
    ]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A setting's value as TOML writes it: a boolean, string, number or list of strings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return str(value)
