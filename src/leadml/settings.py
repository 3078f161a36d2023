"""The environment, read once, frozen.

Every setting is an environment variable ``LEADML_<NAME>``; ``docs/settings.md`` is
made from the fields below. Nothing is read when this module is imported, only when
:class:`Settings` is called.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from leadml.errors import ConfigError

__all__ = ["PREFIX", "Settings", "settings_table", "unknown_settings"]

PREFIX = "LEADML_"


class Settings(BaseSettings):
    """What the environment says, checked; keyword arguments overrule it.

    Raises
    ------
    ConfigError
        A variable does not have the type or range stated; the value is not repeated.

    Examples
    --------
    >>> Settings(port=9000).port
    9000
    >>> Settings(port=0).port  # 0 lets the system choose a free port
    0
    >>> Settings(port="many")
    Traceback (most recent call last):
    leadml.errors.ConfigError: LEADML_PORT cannot be used: input should be ...
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
    )

    models_dir: str = Field("models", description="folder of verified bundles")
    model_name: str = Field(
        "leads",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="registered model that is served",
    )
    tracking_uri: str = Field(
        "sqlite:///mlflow.db",
        validation_alias=AliasChoices("LEADML_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow server or database, MLFLOW_TRACKING_URI is read too; a server "
        "started with an empty one follows the pointer file alone",
    )
    signing_key: str = Field(
        "",
        description="file of the private key that signs what is trained; empty leaves it unsigned",
    )
    verify_key: str = Field(
        "",
        description="file of the public keys that count: anything else is neither served nor "
        "registered; empty verifies no signature",
    )
    database_url: str = Field(
        "sqlite:///leadml.db",
        description="database of decisions, outcomes and keys: sqlite:///FILE or "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME; empty remembers nothing",
    )
    database_wait_s: float = Field(
        2.0,
        gt=0,
        le=60,
        description="longest wait for a lock of the database, in seconds; a caller is told "
        "after 2.5 times as long",
    )
    score_without_store: bool = Field(
        False,
        description="while the database does not answer, score all the same and say "
        "persisted: false, instead of 503",
    )
    deliver: bool = Field(
        True,
        description="send webhooks from inside the server; false leaves it to `leadml deliver`",
    )
    webhook_allow: str = Field(
        "",
        description="hosts, addresses and networks, separated by commas, that webhooks may reach "
        "although they lie inside, and without TLS: localhost, 10.0.0.0/8, .example.com",
    )
    webhook_timeout_s: float = Field(
        15.0, gt=0, le=120, description="longest wait for a webhook's receiver, in seconds"
    )
    value_field: str = Field(
        "",
        description="field of a lead that says what winning it is worth, to queue leads by "
        "expected value; empty queues them by probability",
    )
    lead_value: float = Field(
        1.0, ge=0, le=1e12, description="what winning a lead is worth that does not say so"
    )
    gate_margin: float = Field(
        0.01,
        ge=0,
        le=0.5,
        description="share of the champion's log loss by which a challenger may seem worse and "
        "still pass the gate",
    )
    data_mirror: str = Field(
        "",
        description="folder holding copies of the public data sets; empty means their publishers",
    )
    host: str = Field(
        "127.0.0.1", description="address to listen on; without keys only a loopback address"
    )
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+(/\S*)?)?$",
        description="address at which CRMs reach the server, for the documents that they import; "
        "empty takes the address that was asked",
    )
    allow_open: bool = Field(
        False,
        description="answer other machines although no key protects the API; "
        "only behind something that does",
    )
    max_body_bytes: int = Field(
        10_000_000, ge=1_000, le=1_000_000_000, description="largest request body, in bytes"
    )
    max_leads_per_request: int = Field(
        1_000, ge=1, le=100_000, description="most leads in one POST /v1/scores"
    )
    body_timeout_s: float = Field(
        20.0, gt=0, le=600, description="longest wait for a request body, in seconds"
    )
    head_timeout_s: float = Field(
        10.0, gt=0, le=600, description="longest wait for the head of a request, in seconds"
    )
    rate_limit: int = Field(
        0,
        ge=0,
        le=100_000,
        description="most requests of one key or person within any second, per worker; others get "
        "429 rate_limited; 0 sets no limit",
    )
    max_waiting: int = Field(
        128,
        ge=1,
        le=100_000,
        description="a scoring request that finds more waiting before it gets 503 overloaded",
    )
    max_batches: int = Field(
        32,
        ge=1,
        le=10_000,
        description="most POST /v1/scores worked on or waiting at once; others get 503 overloaded",
    )
    workers: int = Field(1, ge=1, le=64, description="processes that serve one address together")
    jobs_dir: str = Field(
        "jobs", description="folder of uploaded files, their progress and their results"
    )
    max_job_bytes: int = Field(
        1_000_000_000, ge=1_000, le=100_000_000_000, description="largest upload of a job, in bytes"
    )
    max_jobs: int = Field(
        16, ge=0, le=1_000, description="most jobs waiting or running; 0 switches jobs off"
    )
    job_days: float = Field(
        7.0, gt=0, le=3650, description="days that a finished job and its files are kept"
    )
    champion_poll_s: float = Field(
        1.0, gt=0, le=3600, description="pause between two looks at the champion, in seconds"
    )
    drain_s: float = Field(
        2.0,
        ge=0,
        le=300,
        description="after SIGTERM, seconds of answering with Connection: close before stopping",
    )
    shutdown_s: float = Field(
        5.0, gt=0, le=300, description="after draining, longest wait for open requests, in seconds"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line written"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines for people, or one JSON object each for collectors"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _refusal(error) from None

    def environment(self) -> dict[str, str]:
        """The variables that give a child process the same settings."""
        return {PREFIX + name.upper(): str(value) for name, value in self.model_dump().items()}


def _refusal(error: ValidationError) -> ConfigError:
    """The first fault as one sentence; input values stay out of it."""
    fault = error.errors(include_input=False, include_url=False)[0]
    name = str(fault["loc"][0]) if fault["loc"] else ""
    variable = name if name.isupper() else PREFIX + name.upper()
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        return ConfigError(
            f"there is no setting '{name}'",
            fix=f"did you mean '{near[0]}'?" if near else "see docs/settings.md",
        )
    field = Settings.model_fields.get(name.removeprefix(PREFIX).lower())
    meaning = f"{variable} is: {field.description}" if field else "see docs/settings.md"
    return ConfigError(f"{variable} cannot be used: {message}", fix=meaning)


def unknown_settings(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables that look like settings but are none, each with the nearest name or "".

    >>> unknown_settings({"LEADML_MODEL_DIR": "x", "LEADML_PORT": "1", "HOME": "/"})
    [('LEADML_MODEL_DIR', 'LEADML_MODELS_DIR')]
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    found = []
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, sorted(known), n=1)
            found.append((variable, near[0] if near else ""))
    return found


def settings_table() -> str:
    """The settings as a Markdown table, as it stands in ``docs/settings.md``."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default == "" else f"`{field.default!s}`"
        if isinstance(field.default, bool):
            default = f"`{str(field.default).lower()}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines)
