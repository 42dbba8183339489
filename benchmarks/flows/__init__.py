"""Workflows of Jobbers and its peers, interleaved: fan-out with a join, and chains. ``python -m benchmarks.flows``."""
