"""Your part of `serve`. Optional: without it the XGBoost model itself answers.

Define both of:

    def load(model_dir):
        '''Called once, before the workers start; what it returns is given to predict.

        model_dir: pathlib.Path of the unpacked model artifact.
        '''

    def predict(model, features):
        '''features: float32 array (rows, features), NaN = missing, columns as in the schema.

        Returns an array (rows,) or (rows, outputs): what the client gets, one line a row. May be
        called by several threads at once, and in pieces: a large request comes as blocks of rows.
        '''

Raise canarywood.errors.RowsError for rows that cannot be answered (422); every other exception
is answered 500 and logged. Import at the top of this file what you need: workers may run as a
user who cannot read every folder later.
"""
