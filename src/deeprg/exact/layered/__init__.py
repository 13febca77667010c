"""Layered models marginalised exactly: Gaussian machines from UV to IR, hidden priors by their cumulants."""
