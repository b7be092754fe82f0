"""Formats that are not csv or JSON: pure codecs that training and serving share."""
