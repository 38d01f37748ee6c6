# Images for the API and the workers.
#
#   docker build --target cpu -t aisle .
#   docker build --target gpu -t aisle-gpu .
#
# In a container the API listens on every address, and so does not start before
# there is a key:
#
#   docker run --rm -v aisle-data:/data aisle keys create --name NAME

# ---- the program ----
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --package aisle-cli --features fine-tune \
    && cp target/release/aisle /usr/local/bin/aisle \
    && mkdir -p /data

# ---- the ONNX Runtime library, out of its wheel ----
FROM python:3.12-slim-bookworm AS ort-cpu
COPY scripts/setup /build/scripts/setup
RUN /build/scripts/setup/ort.sh /build/scripts/setup/onnxruntime.txt /opt/onnxruntime

FROM python:3.12-slim-bookworm AS ort-gpu
COPY scripts/setup /build/scripts/setup
RUN /build/scripts/setup/ort.sh /build/scripts/setup/onnxruntime-gpu.txt /opt/onnxruntime

# ---- what runs: the program and the library, nobody's account, no shell use ----
FROM debian:bookworm-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/aisle /usr/local/bin/aisle
COPY --from=build --chown=65532:65532 /data /data
COPY models /models
ENV AISLE_LISTEN=0.0.0.0:8080 \
    AISLE_DATA=/data \
    AISLE_MODELS=/models \
    AISLE_ORT_LIB=/opt/onnxruntime/libonnxruntime.so
WORKDIR /data
VOLUME /data
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["aisle"]
CMD ["serve"]

# The CUDA 13 libraries come with the base image; the driver with the host.
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS gpu
COPY --from=build /usr/local/bin/aisle /usr/local/bin/aisle
COPY --from=build --chown=65532:65532 /data /data
COPY --from=ort-gpu /opt/onnxruntime /opt/onnxruntime
COPY models /models
ENV AISLE_LISTEN=0.0.0.0:8080 \
    AISLE_DATA=/data \
    AISLE_MODELS=/models \
    AISLE_ORT_LIB=/opt/onnxruntime/libonnxruntime.so
WORKDIR /data
VOLUME /data
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["aisle"]
CMD ["serve"]

FROM runtime AS cpu
COPY --from=ort-cpu /opt/onnxruntime /opt/onnxruntime
