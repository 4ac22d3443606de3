# One image for all jobs and the server; docs/containers.md describes how to run it.
#   docker build -t rarebird .
#   docker build -t rarebird --build-arg BASE_IMAGE=debian:bookworm-slim .
# requirements.lock contains CUDA 13.0's libraries as wheels; of CUDA the base image has only the forward compatibility
# package. Ubuntu 24.04 has Python 3.12, Debian 12 has 3.11. Both are externally managed (PEP 668), so the wheels are
# installed into a virtual environment.
ARG BASE_IMAGE=nvidia/cuda:13.0.2-base-ubuntu24.04
FROM ${BASE_IMAGE}

RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

# The wheels are installed before the code is copied, so that a change of the code does not install them again. The same
# layer removes files that are not needed at run time: debug symbols, tests, headers (the image has no compiler) and
# TensorBoard's web page. CUDA's libraries stay complete.
COPY requirements.lock /opt/program/
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet \
      --require-hashes --only-binary :all: --no-deps -r /opt/program/requirements.lock \
 && apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && cd /opt/venv/lib/python3*/site-packages \
 && strip --strip-debug triton/_C/*.so \
 && apt-get purge --yes --auto-remove binutils \
 && find . -type d \( -name tests -o -name test -o -name include \) -prune -exec rm -rf {} + \
 && find . -type f \( -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.cuh' -o -name '*.px[di]' -o -name '*.pyx' \) \
      -delete \
 && rm -rf torch/bin/protoc* torch/share tensorboard/webfiles.zip tensorboard_data_server/bin \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/* ~/.cache /tmp/*

ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONPATH=/opt/program \
    PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 \
    RAREBIRD_IMAGE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    # Caches are in /tmp, which any user may write to even if the rest is read-only.
    HOME=/tmp \
    TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor

LABEL org.opencontainers.image.title="rarebird" \
      org.opencontainers.image.description="Train, inference and evaluation jobs for image classification with rare classes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      com.amazonaws.sagemaker.capabilities.multi-models=true

WORKDIR /opt/program
COPY . .
RUN chmod -R a+rX,go-w . && python3 -m compileall -q .

EXPOSE 8080
ENTRYPOINT ["python3", "-m", "container.entrypoint"]
CMD ["train"]
