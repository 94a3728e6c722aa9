"""The pure machines: they decide and apply; clock, sockets, files and randomness stay outside."""
