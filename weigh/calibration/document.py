"""Documents read into models: what does not fit is refused by the name of its field."""

import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from domain.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], document: Mapping[str, object], what: str) -> Model:
    """Return the model a JSON document says.

    Raises
    ------
    ConfigurationError
        A field is unknown, missing or unfit; the message begins with `what` and names the field.
    """
    try:
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{what}: {field}: {first['msg']}") from None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{what}: not a JSON document: {error}") from None
