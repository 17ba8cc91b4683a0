"""Evidence about a candidate before its wargame: certain facts, the known fix, verdicts on other patches."""
