"""What becomes of tasks when workers die, stop, or lose their connection: Jobbers and its peers, side by side."""
