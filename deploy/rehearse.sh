#!/usr/bin/env bash
# Builds the image and starts the composition where no registry is in reach: images made from Debian's packages take the
# places of python, redis, postgres and prometheus. Debian has no Grafana, so that is left out.
# Usage: deploy/rehearse.sh, as root, with debootstrap, and a Docker daemon that serves nothing else (DOCKER_HOST). COMPOSE
# is the program of Docker Compose 2, by default `docker compose`; CERTIFICATES a bundle that the build is to trust.
set -euo pipefail
cd "$(dirname "$0")"
compose="${COMPOSE:-docker compose} --project-name crisol-rehearsal --file compose.yaml"
export DOCKER_BUILDKIT=0 COMPOSE_BAKE=false CRISOL_API_TOKEN=rehearsal POSTGRES_PASSWORD=rehearsal GRAFANA_PASSWORD=rehearsal REDIS_PASSWORD=rehearsal
export PYTHON_IMAGE=rehearsal/python REDIS_IMAGE=rehearsal/redis POSTGRES_IMAGE=rehearsal/postgres PROMETHEUS_IMAGE=rehearsal/prometheus
export MLFLOW_PASSWORD=rehearsal-rehearsal MLFLOW_SECRET_KEY=rehearsal
work=$(mktemp -d)
trap '$compose down --volumes >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

image() { docker build --quiet --network host --tag "$1" --file - "$work/context"; }

mkdir "$work/context"
if ! docker image inspect "$PYTHON_IMAGE" >/dev/null 2>&1; then
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,python3-pip bookworm "$work/base" >"$work/log"
    ln -s python3 "$work/base/usr/bin/python"
    # Debian's pip keeps to itself; that of the python image does not.
    rm -f "$work"/base/usr/lib/python3*/EXTERNALLY-MANAGED
    trusted=/etc/ssl/certs/ca-certificates.crt
    [ -z "${CERTIFICATES:-}" ] || cp "$CERTIFICATES" "$work/base$trusted"
    tar -C "$work/base" -c . | docker import -c "ENV SSL_CERT_FILE=$trusted PIP_CERT=$trusted" - "$PYTHON_IMAGE"
fi

image "$REDIS_IMAGE" <<'END'
FROM rehearsal/python
RUN apt-get update && apt-get install -y --no-install-recommends redis-server
END
cat >"$work/context/entry" <<'END'
set -e
data=/var/lib/postgresql/data
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
install -d -o postgres -m 700 $data
install -o postgres -m 600 <(echo "$POSTGRES_PASSWORD") /tmp/password
as initdb -D $data -U "$POSTGRES_USER" -E UTF8 --auth-host=scram-sha-256 --pwfile=/tmp/password
echo "host all all all scram-sha-256" >>$data/pg_hba.conf
as pg_ctl -D $data -o "-c listen_addresses=" -w start
for query in "CREATE DATABASE $POSTGRES_DB" "$(cat /docker-entrypoint-initdb.d/*.sql)"; do as psql -U "$POSTGRES_USER" -c "$query" postgres; done
as pg_ctl -D $data -w stop
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D $data -c listen_addresses='*'
END
image "$POSTGRES_IMAGE" <<'END'
FROM rehearsal/python
RUN apt-get update && apt-get install -y --no-install-recommends postgresql
COPY entry /entry
ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/bin/bash", "/entry"]
END
image "$PROMETHEUS_IMAGE" <<'END'
FROM rehearsal/python
RUN apt-get update && apt-get install -y --no-install-recommends prometheus && install -d -o nobody /prometheus
USER nobody
ENTRYPOINT ["prometheus"]
END
# Compose builds in a network of its own, which may reach no package index; what is built here it finds done.
docker build --network host --tag crisol-rehearsal-crisol --tag crisol-rehearsal-mlflow --build-arg BASE="$PYTHON_IMAGE" --file Dockerfile .. >>"$work/log"
$compose up --detach --no-build --wait crisol redis postgres mlflow prometheus

docker exec crisol-rehearsal-crisol-1 crisol doctor
docker exec -i crisol-rehearsal-crisol-1 python - <<'END'
import json
import os
import time
import urllib.request
from pathlib import Path


def ask(url: str, content: object = None) -> str:
    headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ['CRISOL_API_TOKEN']}"}
    body = None if content is None else json.dumps(content).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        return answer.read().decode()


def patiently(url: str) -> str:
    """Return the answer of a server that may still be starting, or have nothing to tell yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            found = ask(url)
        except OSError:
            found = ""
        if found and '"result":[]' not in found:
            return found
        assert time.monotonic() < deadline, url
        time.sleep(0.5)


parts = json.loads(ask("http://crisol:8026/health/detailed"))["components"]
print({name: part["status"] for name, part in parts.items()})
flaw = Path("data/vulnerabilities/arena/arena-sort-arguments")
diff = (flaw / "patches" / "reference.diff").read_text()
verdict = json.loads(ask("http://crisol:8026/wargaming/validate", {"diff": diff, "vulnerability": flaw.name}))
print("wargame:", verdict["outcome"], "in", verdict["sandbox"])
print("MLflow:", patiently("http://mlflow:5000/health"))
counted = patiently("http://prometheus:9090/api/v1/query?query=sum(wargaming_wargames_total)")
print("Prometheus counts", json.loads(counted)["data"]["result"][0]["value"][1], "wargame")
assert verdict["outcome"] == "valid"
assert all(part["status"] == "healthy" for name, part in parts.items() if name != "model"), parts
END
