"""One file for each command. Each defines ``cli``; its line of help stands in :mod:`jobbers.cli.lazy`."""
