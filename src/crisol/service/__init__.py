"""The HTTP service: application, middleware and what stands around them."""
