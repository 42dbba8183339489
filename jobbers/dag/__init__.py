"""Workflows as graphs of tasks: built, validated and compiled here, without a server and without a clock."""
