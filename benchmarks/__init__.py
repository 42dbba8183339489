"""Benchmarks of Jobbers and its peers: same machine, same server, interleaved rounds (see README.md).

Everything that an adapter imports from here uses the standard library only, because adapters of peers run
in interpreters of their own.
"""
