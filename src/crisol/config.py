"""The settings: one immutable object, read from the environment variables."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crisol.errors import SettingsError

__all__ = ["Settings", "load_settings", "variable"]


class Settings(BaseSettings):
    """All settings of Crisol, read from environment variables.

    Every setting has a default that needs no server. A variable has the name of its field in capitals with
    the prefix ``CRISOL_``, such as ``CRISOL_HOST``, unless the field names another variable as its alias. An
    empty variable counts as unset.

    Stores:

    - ``REDIS_URL``: the server of the cache and of the token buckets; None keeps both in the process.
    - ``DATABASE_URL``: the PostgreSQL server of the trials. If it is None, ``POSTGRES_HOST`` and the other
      ``POSTGRES_`` settings name the server; if ``POSTGRES_HOST`` is None, too, a DuckDB file keeps the
      trials.
    - ``MLFLOW_TRACKING_URI``: MLflow's server or database; None means the folder ``mlruns``.
    - ``CRISOL_ROOT``: the folder that holds ``data`` and ``mlruns``. The default is the working directory or
      its nearest parent that contains ``data/vulnerabilities``; if no folder does, the working directory.
    - ``CRISOL_VULNERABILITIES``: more folders of vulnerabilities, separated as in ``PATH``.

    Wargames:

    - ``CRISOL_SANDBOX``: the isolation. ``auto`` takes the strongest one that the machine offers; ``weak``
      does not isolate hostile code.
    - ``CRISOL_WARGAMES``: how many wargames the service runs at a time; 0 means one for each core.
    - ``CRISOL_WARGAME_LINE``: how many more wargames wait; the service refuses further ones.
    - ``CRISOL_WARGAME_SECONDS``: the limit on the wall time of all scripts of one wargame together.
    - ``CRISOL_WARGAME_SEED``: ``secret`` draws a new seed for each wargame; ``corpus`` takes the seed of the
      corpus build, so that measurements can be repeated.

    Model:

    - ``CRISOL_MODEL``: the folder of the served model; None means the champion.
    - ``CRISOL_TRUSTED_CLASSES``: Python classes, separated by commas, that a model file may contain besides
      Crisol's own.
    - ``CRISOL_ACCEPT_AT``, ``CRISOL_REJECT_AT``: the model accepts a patch without a wargame if its
      probability is at least the first, and refuses it if its probability is at most the second. If only
      ``CRISOL_ACCEPT_AT`` is set, the model refuses no patch; if only ``CRISOL_REJECT_AT`` is set, it accepts
      none. If neither is set, the thresholds that are stored with the model hold.
    - ``AB_TEST_RATE``: the probability with which a patch is wargamed although the model is sure of it.
    - ``CRISOL_AB_MODE``: ``shadow`` runs such a wargame after the answer is sent, ``blocking`` before.

    Service:

    - ``CRISOL_HOST``, ``PORT``: where the service listens; port 0 takes a free one.
    - ``CRISOL_API_TOKEN``: every request needs this token, sent as ``Authorization: Bearer TOKEN``, except
      ``GET /health`` and the web page. Without a token the service answers only clients on this machine.
    - ``CRISOL_READS``: with ``open`` no GET request needs the token.
    - ``CRISOL_ALLOWED_HOSTS``: names, separated by commas, that a request may have in its header ``Host``,
      besides ``CRISOL_HOST`` and the loopback names.
    - ``CRISOL_TRUSTED_PROXIES``: addresses and networks, separated by commas, such as ``10.0.0.0/8``, whose
      header ``X-Forwarded-For`` is believed.
    - ``CRISOL_RATE_LIMITS``: rates, separated by commas, such as ``validate=50/60:10`` (name, tokens,
      seconds, burst) or ``validate=off``. The names are ``ml-first``, ``validate``, ``ml-accuracy``,
      ``ab-testing``, ``cache``, ``breakers`` and ``vulnerabilities``.
    - ``CRISOL_ADAPTIVE_LIMITS``: pairs, separated by commas, such as ``validate=2``: the rate ``validate``
      shrinks while more than 5 % of its requests fail or take longer than 2 seconds.
    - ``CRISOL_BODY_LIMIT``: the largest request body, in bytes.
    - ``CRISOL_CACHE_MB``: the largest cache in this process, in MiB; with 0 the process keeps no entries.
    - ``CRISOL_METRICS``: the folder through which several workers share Prometheus metrics; None is for a
      single worker.
    - ``OTEL_EXPORTER_OTLP_ENDPOINT``: the address to which OpenTelemetry spans are sent; None sends none.
    - ``OTEL_TRACES_SAMPLER_ARG``: the share of the traces that is sent, 0 to 1.
    """

    model_config = SettingsConfigDict(
        env_prefix="CRISOL_", frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL", repr=False)
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    postgres_host: str | None = Field(default=None, validation_alias="POSTGRES_HOST")
    postgres_port: int = Field(validation_alias="POSTGRES_PORT", default=5432, ge=1, le=65535)
    postgres_db: str = Field(default="crisol", validation_alias="POSTGRES_DB")
    postgres_user: str = Field(default="crisol", validation_alias="POSTGRES_USER")
    postgres_password: SecretStr = Field(default=SecretStr(""), validation_alias="POSTGRES_PASSWORD")
    ab_test_rate: float = Field(validation_alias="AB_TEST_RATE", default=0.10, ge=0.0, le=1.0)
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI", repr=False)
    more_vulnerabilities: str = Field(default="", validation_alias="CRISOL_VULNERABILITIES")
    root: Path = Field(default_factory=lambda: _find_root(Path.cwd()))
    sandbox: Literal["auto", "bubblewrap", "namespaces", "weak"] = "auto"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", validation_alias="LOG_LEVEL"
    )
    host: str = "127.0.0.1"
    port: int = Field(validation_alias="PORT", default=8026, ge=0, le=65535)
    api_token: SecretStr | None = None
    reads: Literal["open", "token"] = "token"
    allowed_hosts: str = ""
    trusted_proxies: str = ""
    rate_limits: str = ""
    adaptive_limits: str = ""
    body_limit: int = Field(default=1 << 20, ge=1024, le=16 << 20)
    cache_mb: int = Field(default=16, ge=0, le=65536)
    wargames: int = Field(default=0, ge=0, le=256)
    wargame_line: int = Field(default=64, ge=1, le=100_000)
    wargame_seconds: float = Field(default=30.0, gt=0.0, le=3600.0)
    wargame_seed: Literal["secret", "corpus"] = "secret"
    ab_mode: Literal["shadow", "blocking"] = "shadow"
    accept_at: float | None = Field(default=None, ge=0.0, le=1.0)
    reject_at: float | None = Field(default=None, ge=0.0, le=1.0)
    model: Path | None = None
    trusted_classes: str = ""
    metrics: Path | None = None
    otel_exporter_otlp_endpoint: str | None = Field(
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT", default=None, pattern=r"^https?://\S+$"
    )
    otel_traces_sampler_arg: float = Field(
        validation_alias="OTEL_TRACES_SAMPLER_ARG", default=1.0, ge=0.0, le=1.0
    )

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        return None if url is None else _readable(_of_scheme(url, "Redis", "redis", "rediss", "unix"))

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: SecretStr | None) -> SecretStr | None:
        # libpq takes name=value pairs, too, which have no scheme.
        if url is not None and not re.match(r"\s*\w+\s*=", url.get_secret_value()):
            _readable(_of_scheme(url.get_secret_value(), "PostgreSQL", "postgresql", "postgres"))
        return url

    @field_validator("mlflow_tracking_uri")
    @classmethod
    def _tracking(cls, uri: str | None) -> str | None:
        return None if uri is None else _readable(uri)

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        level = value.strip().upper() if isinstance(value, str) else value
        return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level) if isinstance(level, str) else level

    def changed(self, **changes: object) -> Settings:
        """Return a copy of the settings with new values for the named fields.

        The new values are checked as environment variables are. Raises :class:`~crisol.errors.SettingsError`
        for a name that is no field and for a value that the field does not accept.
        """
        if unknown := sorted(changes.keys() - type(self).model_fields.keys()):
            raise SettingsError(f"no setting is called {', '.join(unknown)}; see crisol.Settings")
        try:
            return type(self).model_validate({**dict(self), **changes})
        except ValidationError as error:
            raise _refused(error) from None

    @property
    def trust(self) -> tuple[str, ...]:
        """The names of the classes that a saved model may contain besides Crisol's own.

        The names are the parts of ``trusted_classes``, each as ``package.module.Class``; the tuple is empty
        by default.
        """
        return tuple(name.strip() for name in self.trusted_classes.split(",") if name.strip())

    @property
    def vulnerabilities(self) -> Path:
        """The path of ``data/vulnerabilities``; each vulnerability has a folder ``<corpus>/<id>`` in it."""
        return self.root / "data" / "vulnerabilities"

    @property
    def search_path(self) -> tuple[Path, ...]:
        """The folders in which vulnerabilities are searched, in order of the search.

        The first is :attr:`vulnerabilities`; the folders of ``CRISOL_VULNERABILITIES`` follow. Raises
        :class:`~crisol.errors.SettingsError` if a path in ``CRISOL_VULNERABILITIES`` is no folder.
        """
        more = [Path(name).expanduser() for name in self.more_vulnerabilities.split(os.pathsep) if name]
        for folder in more:
            if not folder.is_dir():
                raise SettingsError(f"CRISOL_VULNERABILITIES: {folder} is no folder")
        return (self.vulnerabilities, *more)

    @property
    def cache(self) -> Path:
        """The path of ``data/cache``: downloaded releases, verdicts, traces, tables, models of load tests.

        Crisol makes them again if they are deleted.
        """
        return self.root / "data" / "cache"

    @property
    def inbox(self) -> Path:
        """The path of ``data/candidates``: imported patches, one JSONL file for each vulnerability."""
        return self.root / "data" / "candidates"

    @property
    def runs(self) -> Path:
        """The path of ``mlruns``: MLflow's store, the trials, the diffs of trials, and the reports."""
        return self.root / "mlruns"

    @property
    def trials(self) -> Path:
        """The path of the DuckDB file of the trials; it is used only if no PostgreSQL server is set."""
        return self.runs / "trials.duckdb"

    @property
    def patches(self) -> Path:
        """The path of the folder of the trials' diffs; each file has the diff's identity as its name."""
        return self.runs / "patches"

    @property
    def postgres_dsn(self) -> str | None:
        """The libpq connection string of the PostgreSQL server, password included; None if no server is set.

        The string is ``DATABASE_URL`` if set, else made of the ``POSTGRES_*`` settings if ``POSTGRES_HOST``
        is set. Raises :class:`~crisol.errors.SettingsError` for a ``DATABASE_URL`` that libpq cannot read.
        """
        if self.database_url is None and self.postgres_host is None:
            return None
        # libpq is loaded only if a server is used.
        from psycopg import ProgrammingError  # noqa: PLC0415
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        if self.database_url is not None:
            dsn = self.database_url.get_secret_value()
            try:
                parts = conninfo_to_dict(dsn)
            except ProgrammingError:
                # The error's message quotes a part of the text, which may be the password.
                raise SettingsError(f"DATABASE_URL: {_UNREADABLE}") from None
            if any("@" in str(parts.get(name, "")) for name in ("host", "dbname")):
                raise SettingsError(f"DATABASE_URL: {_UNREADABLE}")
            return dsn
        return make_conninfo(
            host=self.postgres_host,
            port=self.postgres_port,
            dbname=self.postgres_db,
            user=self.postgres_user,
            password=self.postgres_password.get_secret_value() or None,
        )


def load_settings() -> Settings:
    """Return the settings from the environment variables, with defaults for those that are not set.

    Raises :class:`~crisol.errors.SettingsError`, which names every variable with a wrong value.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise _refused(error) from None


def _refused(error: ValidationError) -> SettingsError:
    return SettingsError(
        "; ".join(
            f"{variable(str(e['loc'][0]))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
    )


def _of_scheme(url: str, server: str, *schemes: str) -> str:
    scheme, sign, _ = url.partition("://")
    if not sign or scheme not in schemes:
        given = (
            f"its scheme is {scheme!r}"
            if sign and re.fullmatch(r"[\w+.-]{1,40}", scheme)
            else "it has no scheme"
        )
        # The URL may hold a password, so the message does not quote it.
        raise ValueError(f"this is no {server} URL: {given}; write {schemes[0]}://...")
    return url


_UNREADABLE = (
    "it cannot be read; percent-encode a password in a URL (@ is %40, / %2F, ? %3F, # %23, % %25, a blank "
    "%20), and put a value with blanks between single quotes"
)


def _readable(url: str) -> str:
    """Return ``url`` unchanged, or raise ValueError if its password cannot be told from its other parts.

    Such a password has a ``/``, ``?`` or ``#`` that is not percent-encoded: a library would take what follows
    for the path. An invalid port, and white space or a wrong percent-encoding before the path, raise
    ValueError, too.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(_UNREADABLE) from None
    rest = parts.path + parts.query + parts.fragment
    cut = ":" in parts.netloc and "@" not in parts.netloc and "@" in rest
    if re.search(r"\s|%(?![0-9a-fA-F]{2})", parts.netloc) or (cut and parts.scheme not in {"http", "https"}):
        raise ValueError(_UNREADABLE)
    return url


def variable(field: str) -> str:
    """Return the name of the environment variable that sets a field of :class:`Settings`.

    ``field`` is the field's name. Any text that is no field's name is returned unchanged.

    >>> variable("root"), variable("redis_url")
    ('CRISOL_ROOT', 'REDIS_URL')
    """
    info = Settings.model_fields.get(field)
    alias = info.validation_alias if info is not None else field
    return alias if isinstance(alias, str) else f"CRISOL_{field.upper()}"


def _find_root(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / "data" / "vulnerabilities").is_dir():
            return folder
    return start
