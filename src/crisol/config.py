"""Settings: one immutable object, read from the environment once and passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from crisol.errors import SettingsError

__all__ = ["Settings", "load_settings"]


class Settings(BaseSettings):
    """What the environment may decide; the defaults are the embedded workbench.

    ``AB_TEST_RATE`` is the probability with which a patch is wargamed although the model is sure of it, 0 to 1.
    Without ``REDIS_URL`` cache and buckets live in the process; without ``DATABASE_URL`` or ``POSTGRES_HOST``
    trials live in a DuckDB file. Nothing else changes when they are set.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str | None = None
    database_url: SecretStr | None = None
    postgres_host: str | None = None
    postgres_port: int = Field(default=5432, ge=1, le=65535)
    postgres_db: str = "crisol"
    postgres_user: str = "crisol"
    postgres_password: SecretStr = SecretStr("")
    ab_test_rate: float = Field(default=0.10, ge=0.0, le=1.0)
    crisol_root: Path = Field(default_factory=lambda: _find_root(Path.cwd()))
    crisol_sandbox: Literal["auto", "bubblewrap", "namespaces", "weak"] = "auto"

    @property
    def vulnerabilities(self) -> Path:
        """The folder that holds ``<corpus>/<id>/``."""
        return self.crisol_root / "data" / "vulnerabilities"

    @property
    def cache(self) -> Path:
        """Downloads and everything else that can be made again."""
        return self.crisol_root / "data" / "cache"

    @property
    def inbox(self) -> Path:
        """Candidate patches from outside, one JSONL file for each vulnerability."""
        return self.crisol_root / "data" / "candidates"

    @property
    def runs(self) -> Path:
        """MLflow's store, its artifacts, trials and reports."""
        return self.crisol_root / "mlruns"

    @property
    def trials(self) -> Path:
        """The DuckDB file of the trials, where no PostgreSQL is configured."""
        return self.runs / "trials.duckdb"

    @property
    def postgres_dsn(self) -> str | None:
        """A libpq connection string, or None where no server is configured."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.postgres_host is None:
            return None
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - only those who use a server pay for libpq

        return make_conninfo(
            host=self.postgres_host,
            port=self.postgres_port,
            dbname=self.postgres_db,
            user=self.postgres_user,
            password=self.postgres_password.get_secret_value() or None,
        )


def load_settings() -> Settings:
    """Read the environment.

    Raises :class:`~crisol.errors.SettingsError` with one line per wrong variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("; ".join(lines)) from None


def _find_root(start: Path) -> Path:
    """Return the nearest folder upwards that holds ``data/vulnerabilities``, else ``start`` itself."""
    for folder in (start, *start.parents):
        if (folder / "data" / "vulnerabilities").is_dir():
            return folder
    return start
