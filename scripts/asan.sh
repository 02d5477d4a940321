#!/bin/sh
# The executor's tests, those of the synchronization primitives and those of cancellation, and the stress tests for longer, under
# the address sanitizer: no access to memory that was freed or never ours, and with its leak checker, no memory that nobody
# can reach any more.
#
# Needs a nightly toolchain. The standard library is not instrumented, and need not be: its allocations are intercepted. Builds in
# target/asan. AIOLI_STRESS_ROUNDS, AIOLI_STRESS_SEED and AIOLI_CHAOS_SECONDS are passed on.
set -eu
cd "$(dirname "$0")/.."

target=$(rustc +nightly -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"
export LSAN_OPTIONS="suppressions=$PWD/scripts/asan.supp:print_suppressions=0 ${LSAN_OPTIONS:-}"
export CARGO_TARGET_DIR=target/asan

check() {
    echo "asan: $1"
    shift
    cargo +nightly test --quiet --target "$target" --package "$package" "$@"
}
package=aioli-executor

# Without the tests that count the allocator's bytes and the process's threads: the sanitizer has its own of both.
check "unit tests" --lib
for test in lifecycle cancel defer panics wakers order local blocking shutdown; do
    check "$test" --test "$test"
done
AIOLI_STRESS_ROUNDS="${AIOLI_STRESS_ROUNDS:-500}"
export AIOLI_STRESS_ROUNDS
check "stress, $AIOLI_STRESS_ROUNDS rounds" --test stress -- --nocapture
package=aioli-sync
check "synchronization" --tests
# Nested groups and timeouts, cancelled at random, through the facade.
package=aioli
for test in scopes bad_cancellation cancellation_corners one_cancellation late_frames gather race task_group; do
    check "$test" --test "$test"
done
AIOLI_CHAOS_SECONDS="${AIOLI_CHAOS_SECONDS:-10}"
export AIOLI_CHAOS_SECONDS
for test in chaos sync_chaos; do
    check "$test, $AIOLI_CHAOS_SECONDS seconds" --test "$test" -- --nocapture
done
echo "asan: clean"
