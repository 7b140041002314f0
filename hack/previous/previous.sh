# The version before this one: its commit, and where its tree lies. Source after hack/lib.sh.
# shellcheck shell=bash

# shellcheck disable=SC2034  # read by the scripts that source this file
PREVIOUS_COMMIT=$(grep -v '^#' "$ROOT/hack/previous/commit")
PREVIOUS=$BUILD/previous
# A tree of its own, with its own build folder.
PREVIOUS_TREE=$PREVIOUS/tree
