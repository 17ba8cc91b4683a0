"""Models that predict a wargame's verdict from the diff, and how far they can be trusted."""
