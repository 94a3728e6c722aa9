"""What became of each dialog, as tables beside the history, and the figures that are made of them."""
