"""What the HTTP API makes and bears: see ``benchmarks/README.md``."""
