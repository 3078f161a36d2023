"""Every failure leadml can name.

One tree. Each class carries a stable ``code`` (callers may match on it), an
HTTP ``status``, a ``title`` that never changes with the case at hand, and a
process ``exit_code``. The message of an instance says *what happened*; ``fix``
says *what to do*. ``column`` and ``rows`` (at most 20 shown) point at the data,
``pointer`` (RFC 6901) at the part of a request body.

>>> error = TargetMissing("there is no column 'won'", column="won", fix="name one of: y, age")
>>> error.code, error.status
('target_missing', 422)
>>> print(error.sentence())
target_missing: there is no column 'won'. Fix: name one of: y, age
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

__all__ = [
    "ROWS_SHOWN",
    "AddressRefused",
    "BodyTimeout",
    "BundleError",
    "BundleRejected",
    "BundleUnsigned",
    "CatalogUnknown",
    "ColumnMissing",
    "ConfigError",
    "CsrfInvalid",
    "DataError",
    "DeliveryUnknown",
    "DigestMismatch",
    "Draining",
    "DriverMissing",
    "ExtraMissing",
    "FileMissing",
    "FileUnreadable",
    "FileUnwritable",
    "HostRefused",
    "IdempotencyKeyReused",
    "ImpossibleValue",
    "Internal",
    "InvalidBody",
    "InvalidField",
    "InvalidParameter",
    "InvalidValue",
    "JobNotDone",
    "JobUnknown",
    "KeyInvalid",
    "KeysMissing",
    "LeadErased",
    "LeadmlError",
    "MemoryOff",
    "MethodNotAllowed",
    "ModelError",
    "NoModel",
    "NotFound",
    "NotProven",
    "OriginForeign",
    "OutcomeInvalid",
    "Overloaded",
    "PlanNotApplicable",
    "PolicyOvertaken",
    "PromotionRefused",
    "RateLimited",
    "RegistryError",
    "RequestError",
    "RequestInFlight",
    "ScopeMissing",
    "SignInFailed",
    "SignInThrottled",
    "StepNotOpen",
    "StorageFull",
    "StoreError",
    "StoreUnavailable",
    "TableEmpty",
    "TableRagged",
    "TargetMissing",
    "TargetOneClass",
    "TooFewConversions",
    "TooFewOutcomes",
    "TooLarge",
    "TooManyLeads",
    "Unauthorized",
    "UnknownField",
    "UnsupportedEncoding",
    "UserUnknown",
    "VersionUnknown",
    "WebhookUnknown",
    "all_errors",
]

ROWS_SHOWN = 20


class LeadmlError(Exception):
    """Root of the tree; never raised itself."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "leadml failed"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retry_after_s: int = 0
    """Seconds after which the same may succeed; 0 where nobody can say."""

    def __init__(
        self,
        detail: str,
        *,
        column: str | None = None,
        rows: Iterable[int] = (),
        fix: str | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.column = column
        self.rows = tuple(int(row) for row in rows)
        self.fix = fix
        self.pointer = pointer

    def sentence(self) -> str:
        """One line for people: code, what happened, where, what to do."""
        text = f"{self.code}: {self.detail.rstrip('.')}"
        if self.rows:
            shown = ", ".join(str(row) for row in self.rows[:ROWS_SHOWN])
            more = len(self.rows) - ROWS_SHOWN
            text += f" (row{'s' if len(self.rows) > 1 else ''} {shown}"
            text += f" and {more} more)" if more > 0 else ")"
        text += "" if text.endswith("?") else "."
        if self.fix:
            text += f" Fix: {self.fix.rstrip('.')}"
        return text

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, absent parts left out."""
        found: dict[str, Any] = {"code": self.code, "title": self.title, "detail": self.detail}
        if self.column is not None:
            found["column"] = self.column
        if self.rows:
            found["rows"] = list(self.rows[:ROWS_SHOWN])
        if self.fix:
            found["fix"] = self.fix
        if self.pointer is not None:
            found["pointer"] = self.pointer
        return found


# --- tables given to learn from or to score -----------------------------------


class DataError(LeadmlError):
    """A table cannot be used as it is."""

    code = "data"
    title = "The table cannot be used"
    status = 422
    exit_code = 2


class FileMissing(DataError):
    """A named file is not there."""

    code = "file_missing"
    title = "The file is not there"
    status = 404


class FileUnreadable(DataError):
    """A file is there but is not a table leadml can read."""

    code = "file_unreadable"
    title = "The file cannot be read as a table"


class TableEmpty(DataError):
    """A table has no rows."""

    code = "table_empty"
    title = "The table has no rows"


class TableRagged(DataError):
    """Rows have more or fewer cells than the header, or headers repeat."""

    code = "table_ragged"
    title = "Rows and header do not agree"


class ColumnMissing(DataError):
    """A named column does not exist."""

    code = "column_missing"
    title = "A column does not exist"


class TargetMissing(DataError):
    """The outcome column does not exist or was not named."""

    code = "target_missing"
    title = "The outcome column does not exist"


class TargetOneClass(DataError):
    """The outcome never varies."""

    code = "target_one_class"
    title = "The outcome has one class"


class OutcomeInvalid(DataError):
    """The outcome cannot be read as converted or not converted."""

    code = "outcome_invalid"
    title = "The outcome cannot be read as yes or no"


class TooFewConversions(DataError):
    """Fewer conversions than anything can be learned from."""

    code = "too_few_conversions"
    title = "Too few conversions"


class TooFewOutcomes(DataError):
    """Fewer known outcomes than an intercept can be moved by."""

    code = "too_few_outcomes"
    title = "Too few known outcomes"


class InvalidValue(DataError):
    """A cell holds what its column cannot hold."""

    code = "invalid_value"
    title = "A value does not fit its column"


class CatalogUnknown(DataError):
    """A public data set of that name is not in the catalogue."""

    code = "dataset_unknown"
    title = "The data set is not in the catalogue"
    status = 404


class DigestMismatch(DataError):
    """Bytes are not the ones that were promised."""

    code = "digest_mismatch"
    title = "The bytes are not the promised ones"


class DriverMissing(DataError):
    """A database or file format needs a driver that is not installed."""

    code = "driver_missing"
    title = "A driver is not installed"


# --- settings, options, leadml.toml ---------------------------------------------


class ConfigError(LeadmlError):
    """A setting, option or configuration file cannot be used."""

    code = "config_invalid"
    title = "The configuration cannot be used"
    status = 422
    exit_code = 2


class FileUnwritable(ConfigError):
    """A file or folder cannot be written where it was asked for."""

    code = "file_unwritable"
    title = "The place cannot be written"


class ExtraMissing(ConfigError):
    """A command needs an optional part of leadml that is not installed."""

    code = "extra_missing"
    title = "A part of leadml is not installed"


# --- models, bundles, registry ---------------------------------------------------


class ModelError(LeadmlError):
    """A model cannot be built or used."""

    code = "model"
    title = "The model cannot be used"


class NotProven(ModelError):
    """The compiled scorecard differs from the boosters it was compiled from."""

    code = "scorecard_not_proven"
    title = "The scorecard differs from its boosters"


class NoModel(ModelError):
    """Nothing is served yet."""

    code = "no_model"
    title = "No model is served yet"
    status = 503


class BundleError(ModelError):
    """A bundle is damaged or of an unknown format."""

    code = "bundle_invalid"
    title = "The bundle cannot be read"


class BundleRejected(BundleError):
    """A bundle was read but failed its proof (digest, golden rows)."""

    code = "bundle_rejected"
    title = "The bundle failed its proof"


class BundleUnsigned(BundleError):
    """A bundle has no signature of a trusted key, or was changed after it was signed."""

    code = "bundle_unsigned"
    title = "The bundle is not signed by a trusted key"


class RegistryError(LeadmlError):
    """The model registry cannot be reached or refuses."""

    code = "registry"
    title = "The model registry does not answer"
    status = 503


class PromotionRefused(RegistryError):
    """A line of the gate failed."""

    code = "promotion_refused"
    title = "The gate refuses the promotion"
    status = 409
    exit_code = 3


class PlanNotApplicable(BundleError):
    """A model does not carry the leads that its lines were drawn on."""

    code = "plan_not_applicable"
    title = "The lines of this model cannot be drawn anew"
    status = 409


class VersionUnknown(RegistryError):
    """No such model or version is registered."""

    code = "version_unknown"
    title = "The model version is not registered"
    status = 404
    exit_code = 2


# --- memory: the database of decisions and outcomes ------------------------------


class StoreError(LeadmlError):
    """The memory cannot be used as it is."""

    code = "store"
    title = "The memory cannot be used"
    exit_code = 2


class StoreUnavailable(StoreError):
    """The database is down, stalled, locked or read-only; nothing was acknowledged."""

    code = "store_unavailable"
    title = "The memory does not answer"
    status = 503
    exit_code = 1
    retry_after_s = 1


class StorageFull(StoreUnavailable):
    """The disk of the database is full; nothing was acknowledged."""

    code = "storage_full"
    title = "The memory is full"
    retry_after_s = 10


class MemoryOff(StoreError):
    """The route needs the memory, which is switched off."""

    code = "memory_off"
    title = "Nothing is remembered here"
    status = 503
    exit_code = 2


# --- requests ----------------------------------------------------------------------


class RequestError(LeadmlError):
    """A request cannot be answered as it is."""

    code = "request"
    title = "The request cannot be answered"
    status = 400


class InvalidBody(RequestError):
    """The body is not the JSON object that the route takes."""

    code = "invalid_body"
    title = "The body is not the JSON that this route takes"


class InvalidField(RequestError):
    """A field has the wrong type."""

    code = "invalid_field"
    title = "A field has the wrong type"
    status = 422


class ImpossibleValue(InvalidField):
    """A field has the right type and a value that it cannot have."""

    title = "A field has a value that cannot be used"


class UnknownField(RequestError):
    """A field that the route does not know."""

    code = "unknown_field"
    title = "A field is not known here"
    status = 422


class TooLarge(RequestError):
    """The body is larger than the limit."""

    code = "too_large"
    title = "The body is too large"
    status = 413


class TooManyLeads(RequestError):
    """More leads in one request than it may carry."""

    code = "too_many_leads"
    title = "Too many leads in one request"
    status = 413


class NotFound(RequestError):
    """No such route or thing."""

    code = "not_found"
    title = "There is nothing here"
    status = 404


class InvalidParameter(RequestError):
    """A query parameter cannot be read or does not exist."""

    code = "invalid_parameter"
    title = "A query parameter cannot be used"
    status = 422


class UnsupportedEncoding(RequestError):
    """The body is compressed or encoded in a way that is not read."""

    code = "unsupported_encoding"
    title = "The encoding of the body is not read here"
    status = 415


class MethodNotAllowed(RequestError):
    """The route exists, but not for this method."""

    code = "method_not_allowed"
    title = "The route does not take this method"
    status = 405


class BodyTimeout(RequestError):
    """The body did not arrive in time."""

    code = "body_timeout"
    title = "The body did not arrive in time"
    status = 408


class KeysMissing(RequestError):
    """Another machine asks, but no key protects the API."""

    code = "keys_missing"
    title = "Without keys only this machine is answered"
    status = 403
    exit_code = 2


class Unauthorized(RequestError):
    """A key is needed, and none was sent."""

    code = "unauthorized"
    title = "A key is needed"
    status = 401


class KeyInvalid(Unauthorized):
    """What was sent as a key opens nothing: unknown, expired or revoked."""

    code = "key_invalid"
    title = "The key opens nothing"


class ScopeMissing(RequestError):
    """The key is sound but does not open this route."""

    code = "scope_missing"
    title = "The key does not open this route"
    status = 403


class SignInFailed(RequestError):
    """Name and password do not belong together."""

    code = "sign_in_failed"
    title = "Name and password do not belong together"
    status = 403
    exit_code = 2


class SignInThrottled(RequestError):
    """Too many sign-ins failed; this one was not looked at."""

    code = "sign_in_throttled"
    title = "Too many sign-ins failed"
    status = 429

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many sign-ins failed; the next one counts in {retry_after_s} seconds",
            fix="wait, or have the password set anew: leadml users password NAME",
        )
        self.retry_after_s = retry_after_s


class HostRefused(RequestError):
    """The server is open to this machine only and was asked for under another name."""

    code = "host_refused"
    title = "The server is not known by this name"
    status = 403


class RateLimited(RequestError):
    """A key asks more often than it may."""

    code = "rate_limited"
    title = "Too many requests of this key"
    status = 429
    retry_after_s = 1


class UserUnknown(NotFound):
    """Nobody has that name."""

    code = "user_unknown"
    title = "There is no such person"
    exit_code = 2


class OriginForeign(RequestError):
    """A browser was made to send this by a page of another site."""

    code = "origin_foreign"
    title = "Not sent from here"
    status = 403


class CsrfInvalid(RequestError):
    """A form does not carry the token of the page it stands on."""

    code = "csrf_invalid"
    title = "Load the page again"
    status = 403


class StepNotOpen(RequestError):
    """A lead cannot take this step from where it stands."""

    code = "step_not_open"
    title = "The step is not open for this lead"
    status = 409
    open_steps: tuple[str, ...] = ()


class PolicyOvertaken(StepNotOpen):
    """Somebody changed the policy between the look and the change."""

    code = "policy_overtaken"
    title = "The policy was changed meanwhile"


class RequestInFlight(RequestError):
    """The same idempotent request is being worked on."""

    code = "request_in_flight"
    title = "The same request is still in flight"
    status = 409
    retry_after_s = 1


class IdempotencyKeyReused(RequestError):
    """An idempotency key came again with another body."""

    code = "idempotency_key_reused"
    title = "The idempotency key belongs to another request"
    status = 422


class LeadErased(RequestError):
    """The lead was erased and is not recorded again."""

    code = "lead_erased"
    title = "The lead was erased"
    status = 410


class Draining(RequestError):
    """The server is about to stop and takes no new work."""

    code = "draining"
    title = "The server is about to stop"
    status = 503


class Overloaded(RequestError):
    """More requests wait than can be answered soon; nothing was done."""

    code = "overloaded"
    title = "Too many requests at once"
    status = 503
    retry_after_s = 1


class JobUnknown(NotFound):
    """No job of that id is kept."""

    code = "job_unknown"
    title = "There is no such job"


class WebhookUnknown(NotFound):
    """No webhook of that id is kept."""

    code = "webhook_unknown"
    title = "There is no such webhook"
    exit_code = 2


class DeliveryUnknown(NotFound):
    """The webhook has no delivery of that id that may be sent."""

    code = "delivery_unknown"
    title = "There is no such delivery"
    exit_code = 2


class AddressRefused(RequestError):
    """A webhook's address is not one that leadml may connect to."""

    code = "address_refused"
    title = "The address must not be called"
    status = 422
    exit_code = 2


class JobNotDone(RequestError):
    """The result of a job was asked for before it was done, or the job failed."""

    code = "job_not_done"
    title = "The job has no result"
    status = 409


class Internal(RequestError):
    """A fault of leadml itself."""

    code = "internal"
    title = "leadml failed on this request"
    status = 500


def all_errors(root: type[LeadmlError] = LeadmlError) -> Iterator[type[LeadmlError]]:
    """Every class of the tree below (and without) ``root``, parents first."""
    for child in root.__subclasses__():
        yield child
        yield from all_errors(child)
