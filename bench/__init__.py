"""Measurements against peers: each prints ratios taken in one run on this machine. Nothing here is a test."""
