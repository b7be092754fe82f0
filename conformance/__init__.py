"""A suite that drives any image or server through SageMaker's contract.

It stands alone: standard library, numpy and xgboost, nothing of ours. XGBoost itself is the
oracle: an answer is right when its numbers are those of `Booster.predict` on the same rows.

    python -m conformance --process                       our own code, as processes
    python -m conformance --image NAME                    a Docker image
    python -m conformance --url http://127.0.0.1:8080     a server that runs already
"""
