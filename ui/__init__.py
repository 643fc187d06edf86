"""The chat window and the command line."""
