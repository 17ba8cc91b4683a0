"""Models of patches: features of a diff, variants, their evaluation, and the policies that use them."""
