# Which container engine builds the images, and what each is told. Source after hack/lib.sh.
# shellcheck shell=bash

BASE=docker.io/library/debian:bookworm-slim

# buildah without a daemon, without a user namespace, and with a store that the disk allows.
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
if [ "$(stat -f -c %T /)" = overlayfs ]; then STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}; fi
export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}

# find_engine: sets ENGINE to the first of docker, nerdctl and buildah that answers. IMAGE_ENGINE chooses
# another.
find_engine() {
  local name
  for name in ${IMAGE_ENGINE:-docker nerdctl buildah}; do
    if command -v "$name" >/dev/null && timeout 20 "$name" info >/dev/null 2>&1; then
      ENGINE=$name
      return
    fi
  done
  die "none of ${IMAGE_ENGINE:-docker, nerdctl and buildah} answers" "Run hack/install-deps image."
}

has_image() {
  case "$ENGINE" in
    buildah) buildah inspect --type image "$1" >/dev/null 2>&1 ;;
    *) "$ENGINE" image inspect "$1" >/dev/null 2>&1 ;;
  esac
}

# have_base: the base image from its registry, or else made here from Debian's packages, which are the same.
have_base() {
  if has_image "$BASE"; then return; fi
  if timeout 120 "$ENGINE" pull -q "$BASE" >"$BUILD/image/pull.log" 2>&1; then return; fi
  local archive=$BUILD/image/base.tar
  # With /usr merged from the start; the package usrmerge would bring all of Perl for that.
  logged "$BUILD/image/base.log" "no registry answers; making $BASE from Debian's packages" \
    mmdebstrap --variant=minbase --aptopt='APT::Install-Recommends "false"' --include=usr-is-merged \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$archive"
  case "$ENGINE" in
    buildah)
      local container
      container=$(buildah from scratch)
      buildah add -q "$container" "$archive" / >/dev/null
      buildah config --cmd bash "$container"
      buildah commit -q --rm "$container" "$BASE" >/dev/null
      ;;
    *) "$ENGINE" import "$archive" "$BASE" >/dev/null ;;
  esac
  rm -f "$archive"
}

# build_image FOLDER CONTAINERFILE LOG REFERENCE...: builds with layers kept, and gives the image all the
# names.
build_image() {
  local folder=$1 file=$2 log=$3 reference=$4 other
  shift 4
  case "$ENGINE" in
    buildah)
      logged "$log" "building $reference with buildah" \
        buildah build --layers --pull-never -t "$reference" -f "$file" "$folder"
      for other in "$@"; do buildah tag "$reference" "$other"; done
      ;;
    *)
      logged "$log" "building $reference with $ENGINE" "$ENGINE" build -t "$reference" -f "$file" "$folder"
      for other in "$@"; do "$ENGINE" tag "$reference" "$other"; done
      ;;
  esac
}

# save_image REFERENCE ARCHIVE
save_image() {
  case "$ENGINE" in
    buildah) buildah push -q "$1" "docker-archive:$2:$1" ;;
    *) "$ENGINE" save -o "$2" "$1" ;;
  esac
}

# layers_of REFERENCE: the digests of its layers, one a line.
layers_of() {
  case "$ENGINE" in
    buildah) buildah inspect --type image --format '{{range .OCIv1.RootFS.DiffIDs}}{{println .}}{{end}}' "$1" ;;
    *) "$ENGINE" image inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" ;;
  esac | sed '/^$/d'
}

# image_stem REFERENCE: what the names of the files about an image begin with.
image_stem() { echo "$BUILD/image/${1//[\/:]/_}"; }

# image_archive REFERENCE: a file with the image; older ones of the same name are removed.
image_archive() {
  local stem other
  stem=$(image_stem "$1")
  [ -s "$stem.tar" ] || {
    for other in "${stem%-*}"-*.tar; do rm -f "$other"; done
    save_image "$1" "$stem.tar.part" >&2
    mv "$stem.tar.part" "$stem.tar"
  }
  echo "$stem.tar"
}
