"""The simulators: truth, strip, oracle, spool, wire and scoring."""
