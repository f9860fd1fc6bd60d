"""Refusals in words a station maker understands: the field's path, its value, what is allowed.

pydantic checks the shape of messages; its own phrases ("Input should be ...") never leave this module.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from domain.errors import InputRefused
from domain.refusals import RefusalCode

Model = TypeVar("Model", bound=BaseModel)

SHOWN_CHARACTERS = 60
"""A value is quoted up to this length; base64 images must not fill the quarantine page."""

_REPORTED = 3


def shown(value: object) -> str:
    """Return a value as it may be quoted to its sender: short, and without control characters."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN_CHARACTERS else repr(value[:SHOWN_CHARACTERS]) + "..."
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence):
        return f"an array of {len(value)}"
    return str(value)[:SHOWN_CHARACTERS]


def wrong(code: RefusalCode, text: str) -> PydanticCustomError:
    """Return the error a field's validator raises; `text` continues a sentence begun by the field's path."""
    return PydanticCustomError(code.value, "{text}", {"text": text})


def checked(model: type[Model], data: Any, *, what: str) -> Model:
    """Build `model` from parsed JSON.

    Raises
    ------
    InputRefused
        With the first few faults, each by its field's path; `what` names the message ("weigh record").
    """
    if not isinstance(data, dict):
        raise InputRefused(RefusalCode.FIELD_INVALID, f"the {what} is {shown(data)}; send a JSON object")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise refusal(error, model, what=what) from None


def refusal(error: ValidationError, model: type[BaseModel], *, what: str) -> InputRefused:
    """Return pydantic's findings as one refusal in our words."""
    faults = error.errors(include_url=False)
    sentences = [f"{path_text(fault['loc'])} {_sentence(fault, model)}" for fault in faults[:_REPORTED]]
    if len(faults) > _REPORTED:
        sentences.append(f"and {len(faults) - _REPORTED} more faults")
    return InputRefused(_code(faults[0]), f"{what}: " + "; ".join(sentences))


def path_text(location: tuple[int | str, ...]) -> str:
    """Return a field's place as `axles[0].load_kg`.

    >>> path_text(("axles", 0, "load_kg"))
    'axles[0].load_kg'
    """
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if part.isascii() and part.isidentifier() else shown(part)
            text += f".{name}" if text else name
    return text or "the message"


def _code(fault: ErrorDetails) -> RefusalCode:
    if fault["type"] == "missing":
        return RefusalCode.FIELD_MISSING
    try:
        return RefusalCode(fault["type"])
    except ValueError:
        return RefusalCode.FIELD_INVALID


_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of the contract",
    "enum": "is {found}; allowed: {expected}",
    "string_type": "is {found}; send a string",
    "bool_type": "is {found}; send true or false",
    "tuple_type": "is {found}; send an array",
    "model_type": "is {found}; send an object",
    "too_short": "has {actual_length} elements; at least {min_length} are needed",
    "too_long": "has more than the {max_length} elements allowed",
}
"""pydantic's kinds of error, in our words."""


def _sentence(fault: ErrorDetails, model: type[BaseModel]) -> str:
    if fault["type"] in RefusalCode._value2member_map_:
        return fault["msg"]
    template = _SENTENCES.get(fault["type"], "is {found}, which is not valid here")
    sentence = template.format(found=shown(fault["input"]), **fault.get("ctx", {}))
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        sentence += f"; known fields: {', '.join(f.alias or n for n, f in model.model_fields.items())}"
    return sentence
