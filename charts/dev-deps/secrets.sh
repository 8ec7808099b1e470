#!/usr/bin/env bash
# Make a namespace with the first set of Secrets, once: what is there stays as it is.   usage: secrets.sh NAMESPACE
set -euo pipefail
namespace=$1
kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
if ! kubectl --namespace "$namespace" get secret kefu-sealing-keys >/dev/null 2>&1; then
  "${KEFU:-.venv/bin/kefu}" secrets --namespace "$namespace" | kubectl create -f -
fi
