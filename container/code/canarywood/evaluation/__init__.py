"""Evaluation: metrics, pictures, the report page."""
