"""MQTT to decoded, durable, paired passages."""
