#!/usr/bin/env bash
# A base image made of Debian packages, for machines that reach no image registry: tests/image/base.sh NAME
# Needs root, debootstrap and a Docker engine; DOCKER_HOST is honoured. Without an engine that runs:
#   dockerd --data-root DIR/data --exec-root DIR/exec -H unix://DIR/docker.sock --pidfile DIR/pid --iptables=false --bridge=none
set -euo pipefail
name=${1:?usage: tests/image/base.sh NAME}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" http://deb.debian.org/debian >&2
# this machine's authorities, so that its package mirrors are trusted inside as well
authorities=/etc/ssl/certs/ca-certificates.crt
cp -L "$authorities" "$root$authorities"
tar -C "$root" -c . | docker import \
  --change "ENV PIP_CERT=$authorities SSL_CERT_FILE=$authorities NODE_EXTRA_CA_CERTS=$authorities" - "$name"
