# One image for the controller, the kubelet plugin and set-nas-status. No entry point: the chart names the command.
#
# The same sources, base image and SOURCE_DATE_EPOCH give the same files, byte for byte. Packages are those of the lock
# files, checked by their hashes; where they come from (a mirror, a proxy, a certificate) is for pip's own environment
# variables, which `docker build` takes as build arguments and which do not end up in the image.
#
# The base image is named by the digest of its index for all platforms, so that a tag that is moved changes nothing here.
# hack/base-image.sh puts the one in that the tag has now.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE_IMAGE} AS build
ARG SOURCE_DATE_EPOCH=0
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_PROXY
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_COMPILE=1 \
    PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/fake-dra-driver \
    && python -m venv --without-pip /opt/build \
    && python -m pip --python /opt/fake-dra-driver/bin/python install --no-deps --only-binary :all: \
        --require-hashes --requirement requirements.lock \
    && python -m pip --python /opt/build/bin/python install --no-deps --only-binary :all: \
        --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY fake_dra_driver ./fake_dra_driver
# Compiled here, since containers cannot write there: without it each start would compile everything. "unchecked-hash"
# keeps the time of the build out of the compiled files; then all files get the same time. The find is for python-box,
# which ships C sources and extension modules with debug symbols, 26 MB, beside the Python that does the same.
RUN python -m pip --python /opt/build/bin/python wheel --no-deps --no-build-isolation --wheel-dir /src/dist /src \
    && python -m pip --python /opt/fake-dra-driver/bin/python install --no-deps --no-index /src/dist/*.whl \
    && find /opt/fake-dra-driver/lib/python3*/site-packages/box '(' -name '*.c' -o -name '*.so' ')' -delete \
    && /opt/fake-dra-driver/bin/python -m compileall -q -j 1 --invalidation-mode unchecked-hash \
        /opt/fake-dra-driver/lib \
    && find /opt/fake-dra-driver -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE}
ARG VERSION=v0.2.0
ARG REVISION=
# The address of the repository; a release has it.
ARG SOURCE=
# The time of the commit, as in 2026-11-30T12:00:00Z, so that the same commit gives the same image.
ARG CREATED=
LABEL org.opencontainers.image.title="fake-dra-driver" \
      org.opencontainers.image.description="Dynamic Resource Allocation driver for Kubernetes that offers mock devices" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.authors="The authors of fake-dra-driver" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE:+${SOURCE}/blob/${VERSION}/README.md}"
COPY --from=build /opt/fake-dra-driver /opt/fake-dra-driver
ENV PATH=/opt/fake-dra-driver/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The kubelet plugin needs root for the kubelet's folders; the chart says so where it is needed.
USER 65532:65532
CMD ["fake-dra-driver", "--help"]
