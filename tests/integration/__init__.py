"""Against real components: databases, brokers, browsers."""
