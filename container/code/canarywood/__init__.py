"""What the image runs: preprocess, train, evaluate and serve, behind SageMaker's contract."""

__version__ = "0.1.0"
