# syntax=docker/dockerfile:1.7
# The gateway with its engine and the demo models: docker build -t triton-gateway . && docker run --rm -p 127.0.0.1:8080:8080 triton-gateway

# What the program needs at run time. Everything else is copied onto this.
FROM debian:12.11-slim AS runtime
# Exactly the packages of the libraries that bin/triton-gateway names (deploy/check proves it); they bring what they need themselves.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates \
      libjpeg62-turbo \
      libopencv-core406 \
      libopencv-imgcodecs406 \
      libopencv-imgproc406 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 gateway \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
 && install -d -o 10001 -g 10001 /data

FROM golang:1.26.8-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ libjpeg62-turbo-dev libopencv-dev make pkg-config python3-pip \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=unknown COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make build VERSION="$VERSION" COMMIT="$COMMIT"
# What is inside, for scanners: the Go modules of the program, ONNX Runtime, and the Debian packages of the image.
COPY --from=runtime /var/lib/dpkg/status /src/.cache/runtime-status
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make sbom VERSION="$VERSION" SBOM_STATUS=.cache/runtime-status SBOM_PACKAGES=

FROM runtime
ARG VERSION=unknown COMMIT=unknown
LABEL org.opencontainers.image.title="triton-gateway" \
      org.opencontainers.image.description="Pictures, rows and tensors in, labels, boxes and values out: a gateway in front of NVIDIA Triton, or on its own engine" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /src/bin/triton-gateway /src/bin/libonnxruntime.so /opt/triton-gateway/
COPY --from=build /src/bin/triton-gateway.cdx.json /src/LICENSE /usr/share/doc/triton-gateway/
COPY --from=build /src/.cache/onnxruntime/LICENSE /src/.cache/onnxruntime/ThirdPartyNotices.txt /usr/share/doc/triton-gateway/onnxruntime/
COPY model_repository /models
ENV PATH=/opt/triton-gateway:$PATH \
    GATEWAY_LISTEN__HTTP=0.0.0.0:8080 \
    GATEWAY_LISTEN__GRPC=0.0.0.0:8081 \
    GATEWAY_MODEL_REPOSITORY=/models \
    GATEWAY_JOBS__QUEUE=sqlite:/data/jobs.db
# /data holds the jobs where no other store is set; mount a volume there to keep them.
WORKDIR /data
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["triton-gateway", "health", "--url", "http://127.0.0.1:8080"]
USER 10001:10001
ENTRYPOINT ["triton-gateway"]
CMD ["serve", "--insecure"]
