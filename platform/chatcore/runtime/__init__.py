"""Owners of logs: they run the pure machines, commit in groups, and release outputs once these are durable."""
