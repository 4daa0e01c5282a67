"""``python -m hlkit`` is the command line."""

from hlkit.cli import main

main()
