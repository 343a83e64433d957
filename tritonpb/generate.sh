#!/usr/bin/env bash
# Regenerates the Go code beside this script from the unchanged .proto files.
# Versions: protoc from grpcio-tools 1.85.1, protoc-gen-go v1.36.12, protoc-gen-go-grpc v1.6.2.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q grpcio-tools==1.85.1
GOBIN="$work/bin" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
GOBIN="$work/bin" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
map=Mgrpc_service.proto=triton-gateway/tritonpb,Mmodel_config.proto=triton-gateway/tritonpb
PATH="$work/bin:$PATH" "$work/venv/bin/python" -m grpc_tools.protoc -I. \
  --go_out=. --go_opt=paths=source_relative,"$map" \
  --go-grpc_out=. --go-grpc_opt=paths=source_relative,"$map" \
  grpc_service.proto model_config.proto
