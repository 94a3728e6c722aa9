"""`chatload validate`: a queue whose answer is known, played by everything that plays a bank's day."""
