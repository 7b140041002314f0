# Finds or fetches a Go that is new enough, and says which programs are built with it. Source after
# hack/lib.sh.
# shellcheck shell=bash
# shellcheck source=hack/versions
source "$ROOT/hack/versions"
# The environment of every go command: nothing of the user's own settings may change what is built.
unset GOROOT
export GOFLAGS='' GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0

# shellcheck disable=SC2034  # read by build and update
PROGRAMS=(go.etcd.io/etcd/server/v3 helm.sh/helm/v3/cmd/helm
  k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl})

go_version() { "$1" env GOVERSION 2>/dev/null | sed 's/^go//'; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

# find_go: sets GO_PROGRAM to a go of GO_AT_LEAST or newer: the one on PATH, or else the toolchain module.
find_go() {
  GO_PROGRAM=$(command -v go || true)
  if [ -n "$GO_PROGRAM" ] && at_least "$GO_AT_LEAST" "$(go_version "$GO_PROGRAM")"; then return; fi
  if [ -z "$GO_PROGRAM" ]; then
    "$ROOT/hack/install-deps" go
    GO_PROGRAM=$(command -v go)
    if at_least "$GO_AT_LEAST" "$(go_version "$GO_PROGRAM")"; then return; fi
  fi
  fetch_toolchain "$GO_PROGRAM"
}

# module_folder GO MODULE@VERSION: downloads it, and prints where it lies in the module cache. Why it could not, on
# standard error.
module_folder() {
  local told
  told=$("$1" mod download -json "$2") || { sed -n 's/.*"Error": "\(.*\)".*/  \1/p' <<<"$told" >&2; return 1; }
  sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$told"
}

# fetch_toolchain OLD_GO: any Go can download a newer one, which is a module like others. Module archives
# carry no file modes, so the programs in it are made executable here, as a newer go command would do itself.
fetch_toolchain() {
  local module folder
  module=golang.org/toolchain@v0.0.1-go$GO.linux-$("$1" env GOARCH)
  say "Go $(go_version "$1") is too old for Kubernetes; using the module golang.org/toolchain for Go $GO"
  folder=$(cd / && module_folder "$1" "$module") || true
  [ -n "$folder" ] || die "$module could not be downloaded" "Install Go $GO_AT_LEAST or newer."
  GO_PROGRAM=$folder/bin/go
  [ -x "$GO_PROGRAM" ] || chmod -R a+x "$folder/bin" "$folder/pkg/tool"
  # Module archives can't hold a nested go.mod; the standard library's comes under another name.
  if [ ! -e "$folder/src/go.mod" ]; then
    chmod u+w "$folder/src"
    cp "$folder/src/_go.mod" "$folder/src/go.mod"
  fi
  [ "$(go_version "$GO_PROGRAM")" = "$GO" ] || die "the toolchain in $folder does not run"
}
