"""One small module per system; each is run as a subprocess that speaks the protocol of ``base.py``."""
