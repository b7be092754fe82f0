#!/usr/bin/env bash
# Builds the image canarywood:local and says what it weighs.
#
#   scripts/images.sh                          canarywood:local from container/requirements.txt
#   REQUIREMENTS=requirements-xgboost-3.4.txt IMAGE=canarywood:xgboost-3.4 scripts/images.sh
set -euo pipefail
cd "$(dirname "$0")/.."

image=${IMAGE:-canarywood:local}
requirements=${REQUIREMENTS:-requirements.txt}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if [ -n "$(git status --porcelain -- container 2>/dev/null)" ]; then
    revision=$revision-dirty
fi

if ! docker version >/dev/null 2>&1; then
    echo "images: no Docker engine answers. Start one (dockerd), or use 'make run', which needs none." >&2
    exit 1
fi
scripts/stand_in_base.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
started=$SECONDS
# The host's network: a build reaches the package registries by the same way as this machine does.
if ! docker build --network host --tag "$image" \
    --build-arg REQUIREMENTS="$requirements" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    container >"$log" 2>&1; then
    tail -40 "$log" >&2
    echo "images: the build of $image failed" >&2
    exit 1
fi
# The image that this one replaced has no name any more; the builder's cache stays.
docker image prune --force --filter label=org.opencontainers.image.title=canarywood >/dev/null

grep -o 'pruned .*' "$log" || true
size=$(docker image inspect --format '{{.Size}}' "$image")
echo "$image: $((size / 1000000)) MB, built in $((SECONDS - started)) s, revision $revision"
if [ "$(docker image inspect --format '{{index .Config.Labels "canarywood.stand-in"}}' "$image")" = true ]; then
    echo "$image stands on a stand-in of the base image: for this machine only, do not push it"
fi
