"""The predictor: features of a diff, variants, their honest evaluation, and when to trust them."""
