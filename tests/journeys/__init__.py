"""Whole stories, told with the real processes, by the commands their users type."""
