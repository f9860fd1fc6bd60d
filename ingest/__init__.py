"""MQTT to decoded, durable, paired passages: the only package that knows a broker.

`run` is the ingester. It hands batches of `Arrival`s to a `Sink` and acknowledges what the sink has
committed; decoders turn makers' wire formats into the platform's words.
"""

from ingest.arrivals import Accepted, Arrival, Claims, Refusal, Refused, Settled, Sink
from ingest.batching import BackOff, BatchBounds
from ingest.decoders import Decoder, Decoders, load_decoders
from ingest.limits import Limits
from ingest.mqtt import BrokerSettings, TlsSettings
from ingest.runner import Counters, choose, run

__all__ = [
    "Accepted",
    "Arrival",
    "BackOff",
    "BatchBounds",
    "BrokerSettings",
    "Claims",
    "Counters",
    "Decoder",
    "Decoders",
    "Limits",
    "Refusal",
    "Refused",
    "Settled",
    "Sink",
    "TlsSettings",
    "choose",
    "load_decoders",
    "run",
]
