"""Wargames: the truth about a patch, established by execution."""
