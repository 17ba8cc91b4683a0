"""What is known of a candidate before it is wargamed.

Sound facts, the known fix, the verdicts of other patches.
"""
