"""A suite that drives any image or server through SageMaker's contract."""
