"""What is known of a candidate before it is wargamed: sound facts, the known fix, the verdicts of other patches."""
