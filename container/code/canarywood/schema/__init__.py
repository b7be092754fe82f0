"""The data contract of a model: what a row is, fitted once, used by every command."""
