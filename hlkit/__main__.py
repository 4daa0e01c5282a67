"""``python -m hlkit`` is the command line."""

from hlkit.cli.commands import main

main()
