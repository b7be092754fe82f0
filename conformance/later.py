"""Cases of the contract that the suite does not run yet, each with the reason."""

from __future__ import annotations

_LIBSVM = "libsvm is not among the formats yet"
_KEYS = "selected keys of the answer are not there yet"
_MULTI = "multi-model endpoints are not there yet"
_LAMBDA = "the Lambda image is not there yet"
_MEASURE = "a measurement for the benchmark, not a yes or no"
_RECORDIO = "recordio-protobuf is not among the formats yet"

LATER: dict[str, tuple[str, str]] = {
    "D-01": ("1-based libsvm rows are served as they were trained", _LIBSVM),
    "D-02": ("0-based libsvm rows without index 0 are not shifted", _LIBSVM),
    "D-03": ("A feature that a libsvm row leaves out is missing, not 0", _LIBSVM),
    "D-05.libsvm": ("A libsvm index beyond the features is refused", _LIBSVM),
    "D-07": ("Empty libsvm rows give one prediction each", _LIBSVM),
    "D-08": ("Tabs, blanks, CRLF, qid and labels of libsvm rows change nothing", _LIBSVM),
    "D-09": ("An index twice in a libsvm row is refused", _LIBSVM),
    "D-20": ("Only the files named in the manifest are models", "needs an artifact of ours"),
    "D-22": ("A model behind a preprocessor answers raw rows", "needs an artifact of ours"),
    "D-23.folds": ("Models of folds vote or are averaged", "ensembles are not there yet"),
    "O-03.recordio": ("recordio-protobuf out: one record a row", _RECORDIO),
    "O-05": ("SAGEMAKER_BATCH: N lines for N rows", "batch transform is not there yet"),
    "O-06": ("predicted_score is null or empty where there is none", _KEYS),
    "O-07": ("An unknown key ends the start with the valid ones", _KEYS),
    "O-08": ("predicted_score for every objective", _KEYS),
    "O-09": ("predicted_label is an integer or a class's name", _KEYS),
    "O-10": ("raw_scores are true margins", _KEYS),
    "O-11": ("Record i of recordio holds row i alone", _RECORDIO),
    "P-01.more": ("parquet, arrow, npy and V2 bodies", "not among the formats yet"),
    "P-04": ("Clients' faults are 4xx in multi-model mode too", _MULTI),
    "P-08": ("25 MB, 100 MB and 1 GB with a raised limit", "needs minutes and memory"),
    "P-14.files": ("No body is written to a file on disk", "not visible from outside"),
    "L-07": ("/ping is 503 when unhealthy", "no generic way to make a server unhealthy"),
    "L-09": ("One CPU of a larger host: one worker, one thread", "needs a cgroup per case"),
    "L-10": ("A model loaded before the fork answers in every worker", "covered by L-06 so far"),
    "L-13": ("150 s of steady load add at most 10 MB", _MEASURE),
    "L-16": ("CPU of a one-row request", _MEASURE),
    **{f"M-0{number}": ("Multi-model endpoints", _MULTI) for number in range(1, 8)},
    "T-01": ("Metrics of classification agree with scikit-learn", "needs custom metrics"),
    "T-02": ("Cross-validation of noise finds nothing", "k-fold is not there yet"),
    "T-03": ("A killed job resumes to the same model", "checkpoints are not there yet"),
    "T-04": ("A damaged checkpoint falls back to the one before", "checkpoints are not there yet"),
    "T-09": ("Every parameter of XGBoost is accepted", "needs a table of parameters by version"),
    "T-11.parquet": ("Categories of parquet files are kept", "the suite has no parquet writer"),
    "T-12": ("Pipe mode trains the same model", "Pipe mode is not there yet"),
    "T-13": ("Two hosts train one model", "several hosts are not there yet"),
    "T-14": ("Two hosts do not overwrite each other", "several hosts are not there yet"),
    "J-01": ("An archive cannot write outside its folder", "evaluate is ours, no SageMaker rule"),
    "J-02": ("Pickles are refused by evaluate", "evaluate is ours, no SageMaker rule"),
    "J-03": ("The exit message is valid UTF-8 after the cut", "processing is not driven yet"),
    **{f"J-0{number}": ("Lambda events and answers", _LAMBDA) for number in range(5, 10)},
    "J-10": ("A model of noise does not pass the gate", "gates are not there yet"),
}
