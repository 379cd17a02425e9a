# One image for every process of Stockwright: web (the default), workers, beat, migrations.
FROM node:22-slim AS assets
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements/tools.txt requirements/base.txt requirements/
RUN python -m venv /venv \
    && pip install --require-hashes -r requirements/tools.txt \
    && uv pip install --python /venv/bin/python --no-cache --require-hashes -r requirements/base.txt
COPY . .
COPY --from=assets /build/node_modules node_modules
RUN /venv/bin/python config/assets.py --fetched
# Production settings, with values that no process ever runs with: collecting files needs no secret.
RUN DJANGO_SETTINGS_MODULE=config.settings.prod ALLOWED_HOSTS=none.invalid \
    DATABASE_URL=postgres://none@none.invalid/none REDIS_URL=redis://none.invalid \
    SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    /venv/bin/python manage.py collectstatic --no-input

FROM python:3.11-slim
# LightGBM computes with OpenMP.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --no-create-home stockwright \
    && install -d -o stockwright -g stockwright /media
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.prod MEDIA_ROOT=/media
USER stockwright
VOLUME /media
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--timeout", "120", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
