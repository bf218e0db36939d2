# One image for every role; docker-compose.yml says which one a container is.
#
#   docker compose down -v
#   docker compose up --build
#
# By hand: docker build -t streamapp:0.1.0 . && docker run --rm streamapp:0.1.0 --help

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/streamapp/bin:$PATH
RUN python -m venv /opt/streamapp
WORKDIR /source
# The build backend is pinned like everything else; without build isolation nothing is downloaded behind our back.
RUN echo "setuptools==80.9.0 --hash=sha256:062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922" > build.lock \
    && pip install --require-hashes --requirement build.lock
COPY requirements.lock ./
RUN pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY streamapp streamapp
COPY tables tables
COPY agents agents
COPY brokers brokers
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
RUN groupadd --system --gid 10001 streamapp \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin streamapp \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/streamapp /opt/streamapp
ENV PATH=/opt/streamapp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STREAMAPP_DATA_DIRECTORY=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
# Each role has another way to say that it is ready; docker-compose.yml has them.
HEALTHCHECK NONE
ENTRYPOINT ["streamapp"]
CMD ["--help"]
