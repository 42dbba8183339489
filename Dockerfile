# Jobbers, and an application that it can import. For one of your own: FROM this image, COPY your module to /app, and set
# JOBBERS_APP to its name. The command says what runs: worker, api, or any other command of `jobbers`.

FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY jobbers ./jobbers
RUN pip install '.[fast]' && rm -rf /src

# A volume that is mounted over a folder takes over its owner.
RUN useradd --create-home --uid 10001 jobbers && mkdir /app /blobs && chown jobbers /app /blobs
USER jobbers
WORKDIR /app
ENV PYTHONPATH=/app JOBBERS_APP=jobbers.demo.app JOBBERS_BLOB_DIR=/blobs

# SIGTERM lets a worker finish: give it more time than its setting `grace`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["jobbers"]
CMD ["worker"]
