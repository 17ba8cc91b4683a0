#!/usr/bin/env bash
# Does by hand, in a folder, what the Dockerfile does in an image, and has the service that comes of it judge a patch.
# Usage: deploy/steps.sh [FOLDER]; --list prints the steps and does nothing. Needs what the build stage installs: a C
# compiler, Python 3.11 and a package index. What apt-get and useradd would do is left out.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
list=0
[ "${1:-}" = --list ] && { list=1; shift; }
root=${1:-}
if [ $list = 0 ]; then
    [ -n "$root" ] || root=$(mktemp -d -t crisol-image-XXXXXX)
    mkdir -p "$root/build"
fi

# An absolute path of the image lies below the folder; a relative one below the stage's WORKDIR.
place() { case $1 in /*) echo "$root$1" ;; *) echo "$root/build/$1" ;; esac; }

copy() {
    local stage=0 words=()
    for word in "$@"; do
        case $word in --from=*) stage=1 ;; --*) ;; *) words+=("$word") ;; esac
    done
    # What comes from the build stage lies where it should already.
    [ $stage = 1 ] && return
    local target
    target=$(place "${words[-1]}")
    unset 'words[-1]'
    for word in "${words[@]}"; do
        if [ -d "$here/$word" ]; then mkdir -p "$target" && cp -r "$here/$word/." "$target"
        else mkdir -p "$target" && cp "$here/$word" "$target"; fi
    done
}

while IFS= read -r step; do
    case $step in
        "RUN apt-get"*) verdict="skip" ;;
        COPY\ * | RUN\ *) verdict="do" ;;
        *) continue ;;
    esac
    echo "$verdict: $step"
    [ $list = 1 ] || [ "$verdict" = skip ] && continue
    read -ra words <<<"${step#COPY }"
    case $step in
        COPY\ *) copy "${words[@]}" ;;
        RUN\ *)
            command=${step#RUN }
            command=${command//\/opt\/crisol/$root/opt/crisol}
            command=${command//\/srv\/crisol/$root/srv/crisol}
            # Nobody is called crisol here, and python and pip belong to the image.
            command=${command//python -m venv/${PYTHON:-python3.11} -m venv}
            command=${command// && chown crisol*/}
            command=${command//pip install --no-cache-dir/$root/opt/crisol/bin/pip install --no-cache-dir}
            command=${command//uv pip install/$root/opt/crisol/bin/uv pip install}
            (cd "$root/build" && bash -euo pipefail -c "$command")
            ;;
    esac
done < <(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$here/deploy/Dockerfile")
[ $list = 1 ] && exit 0

log=$root/serve.log
CRISOL_ROOT=$root/srv/crisol PORT=0 OMP_NUM_THREADS=1 "$root/opt/crisol/bin/crisol" serve 2>"$log" &
service=$!
trap 'kill $service 2>/dev/null; wait $service 2>/dev/null || true' EXIT
for _ in $(seq 200); do
    url=$(head -n 1 "$log")
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { cat "$log" >&2; exit 1; }
flaw=$root/srv/crisol/data/vulnerabilities/arena/arena-sort-arguments
"$root/opt/crisol/bin/python" - "$url" "$flaw" <<'END'
import json
import sys
import urllib.request
from pathlib import Path

url, flaw = sys.argv[1], Path(sys.argv[2])


def ask(path: str, content: object = None) -> str:
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url + path, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


print(ask("/health/detailed"))
diff = (flaw / "patches" / "reference.diff").read_text()
verdict = json.loads(ask("/wargaming/validate", {"diff": diff, "vulnerability": flaw.name}))
print("wargame:", verdict["outcome"], "in", verdict["sandbox"])
counted = [line for line in ask("/metrics").splitlines() if line.startswith("wargaming_wargames_total")]
print("scraped:", *counted)
sys.exit(verdict["outcome"] != "valid" or not counted)
END
