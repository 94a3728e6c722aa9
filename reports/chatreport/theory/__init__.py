"""A queue whose answer is known: what its plays showed, beside what Erlang A says of it."""
