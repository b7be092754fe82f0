"""Training: channels, hyperparameters, the boosting session."""
