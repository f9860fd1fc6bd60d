"""Decoders, one module each: the wire format of one maker in, the platform's own words out.

A vendor plugs in by putting one module in this folder with a `make_decoder(limits) -> Decoder`;
nothing else has to be told (docs/how-to/add-a-decoder.md).
"""

import importlib
import logging
import pkgutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, cast

from domain.errors import ConfigurationError, InputRefused
from domain.events import Decoded, Wire
from domain.refusals import RefusalCode
from ingest.arrivals import Accepted, Arrival, Claims, Refused
from ingest.limits import Limits
from ingest.wording import shown

logger = logging.getLogger(__name__)


class Decoder(Protocol):
    """Reads one maker's messages. Stateless: what it returns depends on its arguments alone."""

    @property
    def name(self) -> str:
        """How settings and documents call it."""

    @property
    def topic_filters(self) -> tuple[str, ...]:
        """What to subscribe to; the part before the first `+` must be this decoder's alone."""

    @property
    def receipts(self) -> bool:
        """Whether its stations keep a spool that receipts empty."""

    @property
    def pairing_window(self) -> timedelta:
        """How far apart in time a record and its captures may be."""

    def claims(self, wire: Wire) -> Claims:
        """Return whose message it says it is, as far as it can be read; never raises."""

    def body_offset(self, wire: Wire) -> int:
        """Return where the body begins in the payload; never raises."""

    def decode(self, wire: Wire, *, now: datetime) -> tuple[Decoded, ...]:
        """Return what the message reports, at least one event.

        Raises
        ------
        InputRefused
            And nothing else, whatever the bytes.
        """


class Decoders:
    """The decoders in use, chosen by a message's topic."""

    def __init__(self, decoders: Iterable[Decoder]) -> None:
        self._by_prefix: dict[str, Decoder] = {}
        for decoder in decoders:
            for topic_filter in decoder.topic_filters:
                prefix = topic_filter.split("+", 1)[0]
                if self._by_prefix.setdefault(prefix, decoder) is not decoder:
                    raise ConfigurationError(
                        f"decoders {decoder.name!r} and {self._by_prefix[prefix].name!r} both read "
                        f"{prefix}...: give one of them a topic prefix of its own"
                    )

    @property
    def topic_filters(self) -> tuple[str, ...]:
        """Everything to subscribe to."""
        return tuple(f for decoder in dict.fromkeys(self._by_prefix.values()) for f in decoder.topic_filters)

    def for_topic(self, topic: str) -> Decoder | None:
        """Return whose topic it is."""
        return next((d for prefix, d in self._by_prefix.items() if topic.startswith(prefix)), None)

    def arrivals(self, wire: Wire, *, now: datetime) -> tuple[Arrival, ...]:
        """Decode one message; what cannot be is refused, and kept."""
        decoder = self.for_topic(wire.topic)
        if decoder is None:
            detail = f"no decoder reads topic {shown(wire.topic)}"
            return (Refused(wire, Claims(), RefusalCode.UNKNOWN_TOPIC, detail),)
        try:
            return tuple(
                Accepted(decoded, decoder.pairing_window) for decoded in decoder.decode(wire, now=now)
            )
        except InputRefused as refusal:
            return (self.refused(wire, refusal.code, refusal.detail),)
        except Exception:  # a decoder with a fault must not stop every other station's messages
            logger.exception("decoder %s failed on a message on %s", decoder.name, wire.topic)
            detail = f"decoder {decoder.name} failed on this message; the operator sees why in the log"
            return (self.refused(wire, RefusalCode.STORAGE_FAILED, detail),)

    def refused(self, wire: Wire, code: RefusalCode, detail: str) -> Refused:
        """Return the refusal of a message, with what it claims to be."""
        decoder = self.for_topic(wire.topic)
        if decoder is None:
            return Refused(wire, Claims(), code, detail)
        located = wire.model_copy(update={"body_offset": decoder.body_offset(wire)})
        return Refused(located, decoder.claims(wire), code, detail)


def load_decoders(limits: Limits | None = None) -> dict[str, Decoder]:
    """Return one decoder for each module of this folder, by name.

    Raises
    ------
    ConfigurationError
        A module has no `make_decoder`, or two decoders have one name.
    """
    found: dict[str, Decoder] = {}
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        make = getattr(importlib.import_module(module.name), "make_decoder", None)
        if make is None:
            raise ConfigurationError(
                f"{module.name} has no make_decoder(limits); see docs/how-to/add-a-decoder.md"
            )
        decoder = cast(Decoder, make(limits or Limits()))
        if decoder.name in found:
            raise ConfigurationError(
                f"two decoders are called {decoder.name!r}; rename the one in {module.name}"
            )
        found[decoder.name] = decoder
    return found
