"""The physical simulator against slow oracles: band powers, differential equations, brute-force pulses."""
