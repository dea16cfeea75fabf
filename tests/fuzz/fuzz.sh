#!/usr/bin/env bash
# fuzz.sh TARGET|all SECONDS [SEED]: one target, or all, as many at once as there are cores, from the seeds, what was found before and
# what is in build/fuzz/corpus, which libFuzzer adds to. It takes what is built: the programs of the preset fuzz, else those
# of release, which mutate blindly. A finding fails, and its input is left in the working directory. With a SEED, libFuzzer
# goes the same way each time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../../build
target=$1 seconds=$2 seed=${3:-0} arguments=()

preset=fuzz
[ -x "$build/fuzz/tests/fuzz/make_seeds" ] || preset=release
programs=$build/$preset/tests/fuzz
# The seeds are written anew when the program that writes them is.
if [ ! "$build/fuzz/seeds/written" -nt "$programs/make_seeds" ]; then
  "$programs/make_seeds" "$build/fuzz/seeds"
  touch "$build/fuzz/seeds/written"
fi

# executions_in LOG: as libFuzzer, or a replay, counts them at its end; at an early end libFuzzer's last line counts.
executions_in() {
  { grep -oE '(number_of_executed_units: *|^#)[0-9]+|[0-9]+ (inputs|mutations)' "$1" || echo 0; } |
    awk '/#/ { last = substr($0, 2); next } /units/ { total = $NF; last = 0; next } { total += $1 } END { print total + last }'
}

# Prints a line a target: its executions, and where to read of a finding.
if [ "$target" = all ]; then
  logs=$build/fuzz/logs status=0
  mkdir -p "$logs"
  rm -f "$logs"/*
  names=$(cd "$here" && printf '%s\n' *_fuzz.cpp | sed 's/_fuzz.cpp//')
  echo "$names" | xargs -P "$(nproc)" -I{} bash -c \
    '"$0" "$1" "$2" "$3" >"$4/$1" 2>&1 || touch "$4/$1.failed"' "${BASH_SOURCE[0]}" {} "$seconds" "$seed" "$logs"
  for target in $names; do
    finding=
    [ ! -e "$logs/$target.failed" ] || { finding=", a finding: $logs/$target" && status=1; }
    printf '%-12s %9s executions%s\n' "$target" "$(executions_in "$logs/$target")" "$finding"
  done
  exit $status
fi

case $target in
  load | plan | run) seeds=model arguments=(-dict="$here/onnx.dict") ;;
  infer | preprocess) seeds=noise ;;
  differential) seeds=networks ;;
  image) seeds=picture ;;
  *) seeds=$target ;;
esac
corpus=$build/fuzz/corpus/$target
mkdir -p "$corpus"
folders=("$corpus" "$build/fuzz/seeds/$seeds")
[ ! -d "$here/corpus/$target" ] || folders+=("$here/corpus/$target")
if [ "$preset" = fuzz ]; then
  exec "$programs/fuzz_$target" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -seed="$seed" "${arguments[@]}" "${folders[@]}"
fi
exec "$programs/replay_$target" --mutate "$seconds" "${folders[@]}"
