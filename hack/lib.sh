# Shared by the scripts under hack/: paths, messages, progress. Source it; it sets no option of the shell.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
# As `su` leaves it, PATH lacks the folders of root's programs.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# shellcheck disable=SC2034  # read by the scripts that source this file
TOOLS=$BUILD/tools/bin

# say MESSAGE...: one line of progress, with the seconds since the script started.
say() { printf '[%3ds] %s\n' "$SECONDS" "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "${@:2}" >&2
  exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "root is needed: $1"; }

# usage: prints the comment at the top of the calling script, which is its manual.
usage() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$0"; }

# wants_help ARGUMENTS...: whether --help was asked for; the caller prints usage and leaves.
wants_help() { case "${1:-}" in -h | --help) return 0 ;; esac; return 1; }

# show_log FILE: the end of a log that explains a failure, on standard error.
show_log() {
  [ -s "$1" ] || { echo "  $1 is empty" >&2; return 0; }
  echo "  the end of $1:" >&2
  tail -n "${2:-20}" "$1" | cut -c1-400 | sed 's/^/    /' >&2
}

# logged LOG WHAT COMMAND...: runs a long command with its output in LOG and a sign of life every 15 seconds.
logged() {
  local log=$1 what=$2 started=$SECONDS pid status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  say "$what"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if ! wait_tenths "$pid" 150; then say "$what: $((SECONDS - started)) s so far"; fi
  done
  wait "$pid" || status=$?
  [ "$status" = 0 ] || { show_log "$log"; die "failed: $what"; }
}

# wait_tenths PID N: true once the process has ended, false when it still runs after N tenths of a second.
wait_tenths() {
  local tenth
  for ((tenth = 0; tenth < $2; tenth++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# until_true TENTHS COMMAND...: polls a quiet command; false when it never succeeded.
until_true() {
  local tenths=$1 tenth
  shift
  for ((tenth = 0; tenth < tenths; tenth++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

# stamp_of FILE...: one hash of the files' contents, wherever they lie, to tell whether a result is still
# fresh.
stamp_of() { sha256sum "$@" | cut -c1-64 | sha256sum | cut -c1-16; }
fresh() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
