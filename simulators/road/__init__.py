"""The physical weigh-in-motion site: rough road, bouncing axles, narrow strips, and drivers who misbehave.

Read from the road upwards: `profile` (one ISO 8608 road a site), `trucks` (true static loads first, then the
springs), `passes` (what each strip weighs of each axle at constant speed), `motion` (the same for any speed,
by integration), `signals` (waveforms and loops), `recordings` (a drive recorded, with the truth about it),
`manoeuvres` (sets of one kind each, from `driving` and `company`), `sensor_faults` (strips that fail).
"""
