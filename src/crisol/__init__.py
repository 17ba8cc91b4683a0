"""Crisol: how far can a model stand in for running the exploit?"""
