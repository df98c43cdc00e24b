# One image for the target, the load and the sampler: `python -m` is its entry point, and what
# comes after it says which. docker-compose.yml and docs/staging.md put it to use.

FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src

# Without pip: the image has nothing to install once it is built.
RUN python -m venv --without-pip /opt/tidemark

# Wheels alone, each of the hash that the lock knows, so that no compiler is needed. A layer of
# its own: it changes with the lock, not with the code. The packages' own tests, a fifth of it all,
# are left out.
COPY requirements.lock ./
RUN pip --python /opt/tidemark install \
        --only-binary=:all: --require-hashes --requirement requirements.lock \
    && find /opt/tidemark -type d -name tests -prune -exec rm -rf {} +

# The build backend is pinned as well, and stays in this stage.
RUN echo "setuptools==84.2.1 --hash=sha256:ca140b45d5325a9478f880e351484f62fef15f336462e449ca0c03c873d589c2" > build.lock \
    && pip install --only-binary=:all: --require-hashes --requirement build.lock

COPY pyproject.toml README.md LICENSE ./
COPY record/ record/
COPY targets/ targets/
COPY sampler/ sampler/
COPY analysis/ analysis/
COPY tidemark/ tidemark/
COPY locustfiles/ locustfiles/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/tidemark install --no-deps --no-index /wheels/*.whl


FROM python:3.11.14-slim-bookworm

# The home is a place that anybody may write to: compose can put another user in the place of
# this one, so that results on the host belong to whoever started it.
ENV PATH=/opt/tidemark/bin:$PATH \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A new volume takes its owner over from the folder that it is mounted on.
RUN groupadd --gid 10001 tidemark \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home \
        --shell /usr/sbin/nologin tidemark \
    && install --directory --owner=10001 --group=10001 /results

COPY --from=build /opt/tidemark /opt/tidemark

WORKDIR /app
COPY locustfiles/ locustfiles/

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001

# gunicorn stops gracefully on it, the sampler completes its files, Locust ends its run.
STOPSIGNAL SIGTERM

ENTRYPOINT ["python", "-m"]
CMD ["tidemark", "--help"]
