"""The laboratory: experiments as notebooks, tracked, drawn and reported."""
