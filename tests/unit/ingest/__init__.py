"""The MQTT contract, decoders, batching and receipts, without a broker."""
