"""The data plane: customers, operators and messenger providers in one process on uvloop, steered over a pipe.

Nothing in here may import locust or gevent: they patch the whole process.
"""
