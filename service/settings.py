"""Every setting of the service, in one documented class; the only module that reads the environment.

Settings are environment variables beginning with ``ZHICHAO_``; with none set, everything runs
on embedded defaults below the data folder. Secrets are files, or are held as `SecretStr`, so that
printing or logging the settings never shows them. `docs/reference/settings.md` is made from the
descriptions below and checked by a test.
"""

import json
import os
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.completeness import use_profiles
from domain.errors import ConfigurationError
from domain.retention import Rule, Terms, terms_of
from domain.screening import Formula

PREFIX = "ZHICHAO_"

_COMPILED_FROM = Path(__file__).parent.parent / "weigh"

Port = Annotated[int, Field(ge=1, le=65_535)]


class BrokerKind(StrEnum):
    """Which broker messages come through; an explicit choice, never detected."""

    EMBEDDED = "embedded"
    MOSQUITTO = "mosquitto"


class Settings(BaseSettings):
    """What can be configured. Field `x` is read from the environment variable ``ZHICHAO_X``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", validate_default=True
    )

    data: Path = Field(
        default=Path("data/service"),
        description="Folder of everything this installation keeps: embedded database, images, evidence, "
        "keys. Back it up as a whole.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL connection string (15 to 18, database in UTF-8 with a UTF-8 ctype). "
        "Absent: an embedded PostgreSQL below the data folder.",
    )
    evidence_folder: Path | None = Field(
        default=None, description="Folder of sealed packages. Absent: `evidence` below the data folder."
    )
    blob_folder: Path | None = Field(
        default=None, description="Folder of images as received. Absent: `blobs` below the data folder."
    )
    log_folder: Path | None = Field(
        default=None,
        description="Folder of the transparency log's tiles and checkpoint. Absent: `log` below the data "
        "folder. Workers on several machines need it shared; one of them writes at a time.",
    )
    keys_folder: Path | None = Field(
        default=None,
        description="Folder of the private keys (service, log, witness, test TSA), files of mode 0600. "
        "Absent: `keys` below the data folder. Made on the first start.",
    )
    key_name: str = Field(
        default="zhichao.invalid",
        description="Name under which the keys are published, by custom a domain of yours: the log becomes "
        "`<name>/log`. Counts when the keys are made; every log needs a name of its own.",
    )
    pkcs11_module: Path | None = Field(
        default=None,
        description="PKCS#11 library of a token that holds the service's key; wants the extra `pkcs11`. "
        "Absent: the key is a file in the keys folder.",
    )
    pkcs11_token: str = Field(default="zhichao", description="Label of that token.")
    pkcs11_key: str = Field(default="service", description="Label of the Ed25519 pair of keys in it.")
    pkcs11_pin_file: Path | None = Field(
        default=None, description="File with the token's PIN, for its owner only (mode 0600)."
    )
    sm2_key_file: Path | None = Field(
        default=None,
        description="Private SM2 key (PEM, mode 0600, `openssl genpkey -algorithm SM2`) that signs packages "
        "a second time, by the command openssl; the trust file names it. Absent: no second signature.",
    )
    trust_file: Path | None = Field(
        default=None,
        description="Trust file that packages are verified against. Absent: `trust.json` below the data "
        "folder, written when the keys are made. Publish it apart from the packages.",
    )

    broker_kind: BrokerKind = Field(
        default=BrokerKind.EMBEDDED,
        description="`embedded`: a broker inside this installation, on loopback only, one ingester. "
        "`mosquitto`: any MQTT 5 broker by address, with shared subscriptions.",
    )
    broker_host: str = Field(default="127.0.0.1", description="Host of the MQTT broker.")
    broker_port: Port = Field(default=1883, description="Port of the MQTT 5 listener.")
    broker_port_311: Port = Field(
        default=1884, description="Port of the embedded broker's MQTT 3.1.1 listener, for old stations."
    )
    broker_ca_file: Path | None = Field(
        default=None,
        description="CA certificates (PEM) that the broker's certificate is checked against; turns TLS on.",
    )
    broker_cert_file: Path | None = Field(
        default=None, description="This service's client certificate (PEM), where the broker asks for one."
    )
    broker_key_file: Path | None = Field(
        default=None, description="Private key (PEM) of the client certificate."
    )
    broker_credentials_file: Path | None = Field(
        default=None,
        description="File with `username:password` for the broker on its first line; mode 0600.",
    )
    broker_share_group: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="Group of an MQTT 5 shared subscription, so that several ingesters divide the work. "
        "Only with `mosquitto`.",
    )

    broker_client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="This ingester's name at the broker, which keeps its messages under it while it is away. "
        "Absent: `zhichao-ingest`, with this machine's name and a number after it where the subscription is "
        "shared. A name set here gets the number from the second ingester of one data folder on.",
    )

    web_host: str = Field(
        default="127.0.0.1", description="Address the web listens on; put TLS before any other."
    )
    web_port: Port = Field(default=8080, description="Port the web listens on.")
    web_https: bool = Field(
        default=False,
        description="Whether browsers reach the web by HTTPS, through a proxy: sessions then never travel "
        "without it.",
    )
    session_minutes: int = Field(
        default=480, ge=5, le=10_080, description="How long a login lasts, in minutes."
    )

    max_payload_bytes: int = Field(
        default=16_777_216,
        ge=65_536,
        le=104_857_600,
        description="Largest message accepted, in bytes; larger ones are refused with a reason.",
    )
    capture_deadline_s: int = Field(
        default=60,
        ge=1,
        le=600,
        description="Seconds a flagged passage waits for its captures before it is settled without them.",
    )

    completeness_file: Path | None = Field(
        default=None,
        description="TOML file of completeness profiles of your own, beside the shipped ones, for sites to "
        "name. Absent: the shipped ones only.",
    )

    policy_file: Path | None = Field(
        default=None,
        description="JSON file, as for `zhichao evidence verify --policy`: what a sealed package must fulfil "
        "to become a case, and again whenever one is confirmed. It may ask for more layers and for other "
        "times, never for fewer layers. Absent: every layer but those on request.",
    )

    clock_bound_ms: int = Field(
        default=1_000,
        ge=100,
        le=60_000,
        description="How far off a station's clock may be, in milliseconds, by its own declaration or by a "
        "time of sending after its arrival here. Beyond it a passage is statistics only (GA/T 832: 1 s). "
        "Keep this machine's own clock by NTP.",
    )

    calibration_backdating_days: int = Field(
        default=1,
        ge=0,
        le=36_500,
        description="How many days before its installation a calibration may begin. More only to rebuild a "
        "database: what passed before was weighed without it. Evidence says when it was installed.",
    )
    calibration_max_age_days: int = Field(
        default=400,
        ge=1,
        le=36_500,
        description="Days after which a calibration makes no more cases: passages are statistics only. The "
        "figure is this software's own, a year and some weeks; your verification rules may ask for less.",
    )

    rule_formula: Formula = Field(
        default=Formula.DEDUCT,
        description="How the tolerance MPE is taken off the measured mass m: `deduct` m(1-MPE), "
        "`bound` m/(1+MPE), `limit` against L(1+MPE).",
    )
    rule_guard_k_milli: int = Field(
        default=3_000,
        ge=0,
        le=10_000,
        description="Guard band in thousandths of the standard uncertainty u: a passage is flagged only if "
        "m - k u is over the limit too.",
    )
    rule_default_u_gross_ppm: int = Field(
        default=15_000,
        gt=0,
        le=500_000,
        description="Relative standard uncertainty of the gross mass, in parts per million, where a station "
        "declares none.",
    )
    law_confirmed_rows: frozenset[str] = Field(
        default=frozenset(),
        description="JSON list of law-table row ids that this deployment's lawyers have confirmed. Rows "
        "written from memory (confidence M) lower no gross limit without it; all others count as they are.",
    )

    tsa_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="RFC 3161 time stamp authority. Absent: a test authority of our own, plainly marked as "
        "such, which proves nothing to anybody else.",
    )
    tsa_certificate_file: Path | None = Field(
        default=None, description="Certificate (PEM) of the time stamp authority, put into the trust file."
    )
    tsa_notice_days: int = Field(
        default=180,
        ge=0,
        description="Days before the end of the time stamp authority's certificate or root on which "
        "`zhichao doctor` begins to warn. The default is our own choice, prescribed by nobody.",
    )

    witness_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Address of the witness that cosigns the log (C2SP tlog-witness), under another "
        "administration. Absent: a witness in this installation, which its administrator could rewrite.",
    )
    witness_key: str | None = Field(
        default=None,
        description="Published key of that witness, as `zhichao witness init` prints it; put into the trust "
        "file when that is written.",
    )

    retention_unflagged_days: int = Field(
        default=7,
        ge=1,
        le=36_500,
        description="Days that captures, and messages as received, of passages never flagged are kept. "
        "Weights and what else the figures say stay. A record that comes later finds no captures.",
    )
    retention_hit_days: int = Field(
        default=760,
        ge=30,
        le=36_500,
        description="Days that the evidence of a flagged passage without a case is kept after its sealing. "
        "The figure is this software's own: the two years of 行政处罚法 Art. 36 and some weeks.",
    )
    retention_rejected_days: int = Field(
        default=760,
        ge=30,
        le=36_500,
        description="Days that the evidence of a rejected case is kept after its last change. The figure is "
        "this software's own, as above.",
    )
    retention_confirmed_days: int = Field(
        default=10_950,
        ge=30,
        le=36_500,
        description="Days that the evidence of a confirmed case is kept after its last change. The figure, "
        "thirty years, has no source: your archive's rules decide.",
    )
    retention_quarantine_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        description="Days that what a refused message said is kept; then only who sent it, when, its digest "
        "and why it was refused. The figure is this software's own.",
    )

    mask_cab_permille: str = Field(
        default="100 100 900 550",
        pattern=r"^(\d{1,3}|1000)( (\d{1,3}|1000)){3}$",
        description="Where the cab is in front images, in thousandths of width and height: left, top, right, "
        "bottom. Masked in copies for disclosure, but for the vehicle's own plate. The figures are this "
        "software's own: look at your cameras' images.",
    )

    ocr_engine: str = Field(default="onnx", description="Plate reading engine.")
    ocr_threads: int = Field(default=1, ge=1, le=64, description="Threads of one plate engine.")
    ocr_parallel: int = Field(
        default=2, ge=1, le=64, description="Passages whose plates one worker process reads at the same time."
    )
    worker_jobs: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Jobs one worker process has in hand at the same time; most of them wait for something.",
    )
    test_profiles: bool = Field(
        default=False,
        description="For tests of this software only: sites whose completeness profile exists for tests "
        "(`plates-test`) may be loaded and make cases. Without it both are refused.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Least severe level written to stderr.",
    )

    @property
    def evidence_root(self) -> Path:
        """Where sealed packages lie."""
        return self.evidence_folder or self.data / "evidence"

    @property
    def blob_root(self) -> Path:
        """Where images lie, content-addressed."""
        return self.blob_folder or self.data / "blobs"

    @property
    def log_root(self) -> Path:
        """Where the transparency log lies."""
        return self.log_folder or self.data / "log"

    @property
    def keys_root(self) -> Path:
        """Where the private keys lie."""
        return self.keys_folder or self.data / "keys"

    @property
    def own_witness_root(self) -> Path:
        """Where the witness inside this installation remembers the log's head."""
        return self.data / "witness"

    @property
    def witness_apart_root(self) -> Path:
        """Where the demo's witness, a process of its own, has its key and its state."""
        return self.data / "witness-apart"

    @property
    def trust_path(self) -> Path:
        """The trust file."""
        return self.trust_file or self.data / "trust.json"

    @property
    def capture_deadline(self) -> timedelta:
        """How long a flagged passage waits for its captures."""
        return timedelta(seconds=self.capture_deadline_s)

    @property
    def retention(self) -> Terms:
        """How long what is personal is kept, by rule."""
        return terms_of(
            {
                Rule.UNFLAGGED: self.retention_unflagged_days,
                Rule.HIT: self.retention_hit_days,
                Rule.REJECTED: self.retention_rejected_days,
                Rule.CONFIRMED: self.retention_confirmed_days,
                Rule.QUARANTINE: self.retention_quarantine_days,
            }
        )

    def require_database_url(self) -> str:
        """Return the connection string.

        Raises
        ------
        ConfigurationError
            None is set: the embedded database runs only under `zhichao serve` and `make run`.
        """
        if self.database_url is None:
            raise ConfigurationError(
                "no database: set ZHICHAO_DATABASE_URL, or use `zhichao serve`, which brings its own"
            )
        return self.database_url.get_secret_value()


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    ConfigurationError
        A variable has a value that cannot be; every such variable is named. Or a deployment's own
        completeness profiles cannot be used.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{_name(item['loc'])}: {item['msg']}" for item in error.errors())
        raise ConfigurationError(
            f"settings cannot be used ({wrong}); see docs/reference/settings.md"
        ) from None
    keep_compiled_code(settings)
    if settings.completeness_file is not None:
        use_profiles(settings.completeness_file)
    return settings


def keep_compiled_code(settings: Settings, package: Path = _COMPILED_FROM) -> None:
    """Have numba keep what it compiles below the data folder, where it cannot beside the sources.

    An installed package's folder is often another user's, and a service's user may have no home: numba
    then refuses even to import what it is to compile. To be called before any such import; children inherit
    it. A `NUMBA_CACHE_DIR` that is set already is left as it is.
    """
    beside = package / "__pycache__"
    if not os.access(beside if beside.exists() else package, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str((settings.data / "compiled").absolute()))


def unknown_variables() -> list[str]:
    """Return variables that begin with ``ZHICHAO_`` and name no setting: misspelt ones, mostly."""
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    known.add("ZHICHAO_TEST_COUNTS")  # how often tests repeat; `make prove` sets it for all it starts
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def environment_of(settings: Settings, *, with_database: bool = True) -> dict[str, str]:
    """Return the environment in which a child process reads exactly these settings.

    The database's address holds its password, and every process of one user can see the environment of
    the others: `with_database=False` leaves it out for children that have nothing to do with it.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    own = {
        PREFIX + field.upper(): _text(value)
        for field in Settings.model_fields
        if (value := getattr(settings, field)) is not None and (with_database or field != "database_url")
    }
    return inherited | own


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, frozenset):
        return json.dumps(sorted(value))
    return str(value)


def _name(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location).upper()
