#!/usr/bin/env bash
# fuzz.sh TARGET SECONDS: one target, from the seeds, what was found before and what is in build/fuzz/corpus, which libFuzzer
# adds to. It takes what is built: the program of the preset fuzz, else that of release, which mutates blindly. A finding
# fails, and its input is left in the working directory.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../../build
target=$1 seconds=$2 arguments=()
case $target in
  load | plan | run) seeds=model arguments=(-dict="$here/onnx.dict") ;;
  infer | preprocess) seeds=noise ;;
  differential) seeds=networks ;;
  image) seeds=picture ;;
  *) seeds=$target ;;
esac
preset=fuzz program=fuzz_$target
[ -x "$build/fuzz/tests/fuzz/$program" ] || preset=release program=replay_$target
corpus=$build/fuzz/corpus/$target
mkdir -p "$corpus"
"$build/$preset/tests/fuzz/make_seeds" "$build/fuzz/seeds"
folders=("$corpus" "$build/fuzz/seeds/$seeds")
[ ! -d "$here/corpus/$target" ] || folders+=("$here/corpus/$target")
if [ "$preset" = fuzz ]; then
  exec "$build/fuzz/tests/fuzz/$program" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 "${arguments[@]}" "${folders[@]}"
fi
exec "$build/release/tests/fuzz/$program" --mutate "$seconds" "${folders[@]}"
