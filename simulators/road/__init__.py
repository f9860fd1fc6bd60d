"""The physical weigh-in-motion site: rough road, bouncing axles, narrow strips, and drivers who misbehave.

Read from the road upwards: `profile` (one ISO 8608 road a site), `trucks` (true static loads first, then the
springs), `passes` (what each strip feels of each axle), `motion` (the same for any speed, by integration),
`signals` (the strips' waveforms and the loops), `manoeuvres` (sets of normal and spoilt passages).
"""
