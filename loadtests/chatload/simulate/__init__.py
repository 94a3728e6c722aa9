"""A scenario under a virtual clock: the plan, the fleet's scripts and operators, and the core's pure machines.

`simulate(settings)` of `chatload.simulate.run` plays one part into a run directory.
"""
