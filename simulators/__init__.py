"""Simulated roadside stations, and an oracle that shares no code with the product.

Read from the truck to the broker: `configurations` and `loads` make the truth, `strip` weighs it
with error, `plate_image` and `scene` photograph it, `passages` puts one passage together, `spool`
keeps it, `station` sends it. `oracle` says what the product must conclude from what was sent.
"""
