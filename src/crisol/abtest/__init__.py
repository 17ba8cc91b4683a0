"""A/B testing: which patches are wargamed although the model was sure, and what their trials say."""
