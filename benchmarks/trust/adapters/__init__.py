"""One small module a system, run by that system's own interpreter; ``base.py`` says what it is asked."""
