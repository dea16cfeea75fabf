#!/usr/bin/env bash
# The evidence of docs/reliability.md, made again in its quick form and printed as one table. It takes what is built: the
# preset `release` must be, and coverage, fuzz and tsan add their lines where they are. `./dev evidence` builds all four and
# calls this.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build
log=$build/evidence
fuzz_seconds=${LINNET_EVIDENCE_FUZZ_SECONDS:-10}
status=0
mkdir -p "$log"

line() { printf '| %-42s | %-8s | %s |\n' "$1" "$2" "$3"; }

# verdict NAME CODE DETAIL
verdict() {
  if [ "$2" -eq 0 ]; then
    line "$1" passed "$3"
  else
    line "$1" FAILED "$3"
    status=1
  fi
}

# sum_of FILE PATTERN: the sum of the number before each match.
sum_of() { { grep -oE "[0-9]+ $2" "$1" 2>/dev/null || true; } | awk '{ s += $1 } END { print s + 0 }'; }

# cases PRESET LABEL PATTERN: runs the tests whose names match; sets `ran`, `failed`, `seconds`.
cases() {
  local start=$SECONDS
  (cd "$root" && ctest --preset "$1" -j "$(nproc)" -LE nightly -R "$3") >"$log/$2" 2>&1 || true
  ran=$(grep -cE '^ *[0-9]+/[0-9]+ Test ' "$log/$2" || true)
  failed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*(\*\*\*|Not Run)' "$log/$2" || true)
  [ "$ran" -gt 0 ] || failed=1
  seconds=$((SECONDS - start))
}

ids_in() { grep -oE '\b[A-N][0-9][0-9]\b' | sort -u; }

# The rows whose tests ran and passed. Rows that only nightly tests have are counted apart.
catalogue() {
  cases release catalogue ': [A-N][0-9][0-9][ :]|the table of the catalogue|bugs of other engines'
  local rows good nightly
  rows=$(grep -oE '^\| [A-N][0-9][0-9] \|' "$root/docs/reliability.md" | ids_in)
  good=$(comm -23 <(ids_in <"$log/catalogue") <(grep -F '***' "$log/catalogue" | ids_in) | comm -12 - <(echo "$rows") | wc -l)
  nightly=$( (cd "$root" && ctest --preset release -N -L nightly) | ids_in |
    comm -12 - <(echo "$rows") | comm -23 - <(ids_in <"$log/catalogue") | wc -l)
  rows=$(echo "$rows" | wc -l)
  verdict 'catalogue of hostile inputs' "$((failed + (good + nightly != rows)))" \
    "$good of $rows rows ($nightly nightly only), $ran tests, $seconds s"
}

# counted NAME LOG FOLDER CASES UNIT DETAIL: one run of a test program that says how much it did.
counted() {
  local code=0 start=$SECONDS
  "$build/release/tests/test_$3" "$4" >"$log/$2" 2>&1 || code=1
  verdict "$1" $code "$(sum_of "$log/$2" "$5") $6, $((SECONDS - start)) s"
}

fuzzing() {
  local engine='blind mutation' code=0 findings
  [ ! -x "$build/fuzz/tests/fuzz/fuzz_load" ] || engine='libFuzzer, ASan, UBSan'
  (cd "$log" && "$root/tests/fuzz/fuzz.sh" all "$fuzz_seconds") >"$log/fuzzing" || code=1
  findings=$(grep -c 'a finding' "$log/fuzzing" || true)
  verdict "fuzzing ($(wc -l <"$log/fuzzing") targets, $engine)" $code \
    "$(sum_of "$log/fuzzing" executions) executions, $findings findings"
}

# group NAME FILE PATTERN
group() {
  cases release "$2" "$3"
  verdict "$1" "$failed" "$((ran - failed)) of $ran tests, $seconds s"
}

# sanitizer PRESET NAME PATTERN: without the networks, which take an hour there; `./dev test PRESET` runs all.
sanitizer() {
  if [ ! -x "$build/$1/tests/test_reliability" ]; then
    line "$2" 'not run' './dev evidence builds it'
    return
  fi
  LINNET_DATA=$log/none cases "$1" "sanitizer_$1" "$3"
  local reports
  reports=$(grep -cE 'ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$log/sanitizer_$1" || true)
  verdict "$2" "$((failed + reports))" "$((ran - failed)) of $ran tests, $reports reports, $seconds s"
}

# Only the objects of these layers: all of src/ would take gcovr twice as long.
coverage() {
  local layer objects=() lines branches start
  for layer in onnx graph passes plan ops runtime; do objects+=("$build/coverage/src/CMakeFiles/linnet_$layer.dir"); done
  if [ ! -x "$build/coverage/tests/test_reliability" ] || ! command -v gcovr >/dev/null; then
    line 'coverage of loader, planner, runtime' 'not run' './dev evidence builds it'
    return
  fi
  find "$build/coverage" -name '*.gcda' -delete
  cases coverage coverage '^(graph|onnx|ops|passes|runtime|reliability|models|reference_check|e2e)[:/]'
  start=$SECONDS
  # (gcovr leaves its files where it stands if it fails.)
  (cd "$log" && gcovr -r "$root" -j "$(nproc)" "${objects[@]}" -f "$root/src/(onnx|graph|passes|plan|ops|runtime)/" \
    --exclude-throw-branches --print-summary) >"$log/coverage_files" 2>&1 || true
  lines=$(grep -oE '^lines: [0-9.]+' "$log/coverage_files" | grep -oE '[0-9.]+' || echo 0)
  branches=$(grep -oE '^branches: [0-9.]+' "$log/coverage_files" | grep -oE '[0-9.]+' || echo 0)
  verdict 'coverage of loader, planner, runtime' \
    "$(awk -v f="$failed" -v l="$lines" -v b="$branches" 'BEGIN { print f + !(l >= 92 && b >= 80) }')" \
    "$lines % of lines, $branches % of branches (throw branches excluded), $((ran - failed)) of $ran tests, $((seconds + SECONDS - start)) s"
}

line evidence result detail
line '---' '---' '---'
catalogue
counted 'truncations' truncations reliability '~[nightly] B01*' truncations 'refused or right'
counted 'flipped bits' flips reliability '~[nightly] B02*' flips 'refused or run'
counted 'failing allocations' allocations reliability 'L10*' 'allocations failed' points
fuzzing
counted 'kernels at guard pages, all ISAs' kernels kernels '~[nightly]' 'guarded cases' cases
counted 'soak' soak reliability '~[nightly] L14*' runs 'runs without growth'
group 'cancellation, threads, fork' lifecycle ': (L0|L1[^04]|J1)'
group 'damaged pictures' pictures ': M[0-2]|JPEG|PNG'
group 'random networks against the oracle' models '^models:'
group 'same bits: threads, ISA, batch, passes' bits '^e2e:.*(changes no bit|same|pass|every algorithm)'
sanitizer fuzz 'sanitizers: address, undefined behaviour' '^(base|cli|graph|image|kernels|onnx|ops|passes|reliability|runtime):'
sanitizer tsan 'sanitizers: thread' '^runtime:|: (J1|K10|L0|L1|M18)'
coverage
printf '%s s; the logs are in %s\n' "$SECONDS" "$log" >&2
exit $status
