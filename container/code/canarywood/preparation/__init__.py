"""Preparation: joins, splits, the leakage check, statistics."""
