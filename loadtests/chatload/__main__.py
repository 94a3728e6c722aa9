"""`python -m chatload`: the same as the command `chatload`."""

from chatload.cli import main

main()
