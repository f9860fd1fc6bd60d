"""`make run`: the whole service on embedded defaults, three simulated stations, and accounts to try it with.

Nothing here is for real work: its accounts are marked in the database, and plain `zhichao serve`
refuses to start on a database that has them. The stations run as programs of their own; shipped code
imports nothing of the simulators.
"""
