#!/usr/bin/env bash
# Measures two idle nodes that are linked to each other: resident memory, and processor time over 30 seconds.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$here/blixard" --help >/dev/null
folder=$(mktemp -d)
program=(dotnet "$here/src/Blixard.Cli/bin/Release/net10.0/blixard.dll")
common=(--bind 127.0.0.1:0 --grpc 127.0.0.1:0 --json)
nodes=()
trap 'kill "${nodes[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

# wait_for FILE WORD: until the file has the word, at most 30 seconds.
wait_for() {
    for _ in $(seq 300); do
        grep -qs "$2" "$1" && return 0
        sleep 0.1
    done
    echo "error: '$2' did not come in 30 seconds" >&2
    exit 1
}
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

"${program[@]}" up --name one --data-dir "$folder/one" "${common[@]}" >"$folder/one.out" &
nodes+=($!)
wait_for "$folder/one.out" '"ready"'
ticket=$("${program[@]}" token create --data-dir "$folder/one" --json | sed -E 's/.*"ticket":"([^"]+)".*/\1/')
"${program[@]}" join "$ticket" --name two --data-dir "$folder/two" "${common[@]}" >"$folder/two.out" &
nodes+=($!)
wait_for "$folder/two.out" '"peer-linked"'

sleep 10 # what the start left to do is done by then
before=()
for node in "${nodes[@]}"; do before+=("$(ticks "$node")"); done
sleep 30
hertz=$(getconf CLK_TCK)
for i in 0 1; do
    awk -v used=$(($(ticks "${nodes[i]}") - before[i])) -v hertz="$hertz" -v kib="$(awk '/VmRSS/ {print $2}' "/proc/${nodes[i]}/status")" \
        'BEGIN { printf "%.0f MiB resident, %.1f %% of a core\n", kib / 1024, 100 * used / hertz / 30 }'
done
