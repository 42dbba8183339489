"""The event stream: one hub for each API process reads the server once and tells all who listen."""
