#!/bin/sh
# Takes out of a virtual environment what no command of the image runs, and says what each thing weighed.
#
#   prune.sh FOLDER         the site-packages folder
#
# Nothing is stripped: the libraries of numpy and scipy were patched when their wheels were made, and
# `strip` damages such files. scipy stays whole (less its tests): a user's own model files may need it.
# numpy.f2py stays: scipy copies every name of numpy when it is imported, this one too.
set -eu
cd "$1"

total() { du -sk . | cut -f1; }

# gone WHAT PATH...: deletes the paths; a name that is not there any more (a newer version of the
# package) is an error, so that this list cannot rot unseen.
gone() {
    what=$1
    shift
    before=$(total)
    for path; do
        [ -e "$path" ] || { echo "prune.sh: $what: there is no $path" >&2; exit 1; }
    done
    rm -rf "$@"
    echo "pruned $(((before - $(total)) / 1024)) MB: $what"
}

# each FIND-EXPRESSION...: deletes whatever find matches.
each() {
    what=$1
    shift
    before=$(total)
    find . "$@" -prune -exec rm -rf {} +
    echo "pruned $(((before - $(total)) / 1024)) MB: $what"
}

each "test folders" -type d -name tests
each "headers, stubs, sources, static libraries" \
    \( -type d -name include -o -name '*.pyi' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyx' \
    -o -name '*.h' -o -name '*.a' \)
gone "arrow flight (an RPC protocol)" pyarrow/libarrow_flight.so.* pyarrow/_flight.*.so \
    pyarrow/libarrow_python_flight.so*
# /opt/ml is files: the platform does the S3 part. The other clouds' file systems lie inside libarrow.
gone "arrow's S3 file system" pyarrow/libarrow_s3.so.* pyarrow/_s3fs.*.so
gone "arrow's own C++ tests" pyarrow/_pyarrow_cpp_tests.*.so
# The wheel holds each library three times, as a zip file has no links; only the soname is loaded.
gone "copies of arrow's libraries for linkers" pyarrow/libarrow_python.so pyarrow/libarrow_python.so.*.*.* \
    pyarrow/libarrow_python_parquet_encryption.so pyarrow/libarrow_python_parquet_encryption.so.*.*.*
echo "left $(($(total) / 1024)) MB"
