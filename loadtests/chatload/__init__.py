"""chatload: plans the load of a bank's chat platform, drives it, and records what happened.

The folders are the data flow: scenario → plan → fleet → targets; `control` steers the fleet through Locust, `run`
keeps the order of a run, `cli` is the command line. What a run recorded is judged by `chatreport`.
"""

__version__ = "0.1.0"
