"""``python -m jobbers`` is ``jobbers``."""

from __future__ import annotations

from jobbers.cli import main

if __name__ == "__main__":
    main()
