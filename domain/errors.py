"""The one error hierarchy. Every message says what is wrong and what to do next.

ZhichaoError
├── ConfigurationError      a setting, a table or the registry cannot work as it stands
├── InputRefused            something from outside cannot be accepted; kept in quarantine with its reason
├── NotFound                what was asked for does not exist
├── NotPermitted            this person or role may not do this
├── ConflictingChange       somebody or something else changed it first; look again, then decide again
├── RuleViolation           a step the law or the workflow does not allow from here
├── EvidenceBroken          a package, a log or a signature does not hold
└── ServiceUnavailable      a broker, database, disk or authority did not answer; trying again is right
"""

from domain.refusals import RefusalCode


class ZhichaoError(Exception):
    """Root of every error this software raises on purpose."""


class ConfigurationError(ZhichaoError):
    """A setting, a law table or a registry entry cannot work as it stands."""


class InputRefused(ZhichaoError):
    """A message, image or record from outside cannot be accepted.

    Parameters
    ----------
    code
        The machine-readable reason; its advice to station makers is in `domain.refusals`.
    detail
        What exactly was found, with the offending field and value, fit to be shown to the sender.
    """

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class NotFound(ZhichaoError):
    """What was asked for does not exist."""


class NotPermitted(ZhichaoError):
    """This person or role may not do this."""


class ConflictingChange(ZhichaoError):
    """What was decided on is no longer what is stored: look again, then decide again."""


class RuleViolation(ZhichaoError):
    """A step the law or the workflow does not allow from here."""


class EvidenceBroken(ZhichaoError):
    """A package, a log or a signature does not hold."""


class ServiceUnavailable(ZhichaoError):
    """A broker, database, disk or authority did not answer; trying again is right."""
