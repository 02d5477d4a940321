#!/bin/sh
# The executor's tests, its stress test for longer, and the tests of the synchronization primitives, under the thread
# sanitizer: no two threads touch the same memory, one of them writing, without an order between them.
#
# Needs a nightly toolchain. With its component rust-src the standard library is built with the sanitizer too. Without it, an
# order that is made inside the standard library (channels, Once, the slow paths of its locks) is invisible; so the tests
# take their locks from parking_lot and run one at a time, which leaves little, and tsan.supp names that.
#
# What it cannot do: the thread sanitizer does not understand fences. An order that rests on one is invisible to it, hence
# the other lines of tsan.supp; and our own sleep protocol, which rests on fences, hands no memory over by them: its
# models under loom are what checks it.
#
# Builds, and keeps its logs, in target/tsan. AIOLI_STRESS_ROUNDS and AIOLI_STRESS_SEED are passed on.
set -eu
cd "$(dirname "$0")/.."

target=$(rustc +nightly -vV | sed -n 's/^host: //p')
export TSAN_OPTIONS="suppressions=$PWD/scripts/tsan.supp ${TSAN_OPTIONS:-}"
export CARGO_TARGET_DIR=target/tsan
if [ -d "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library" ]; then
    echo "tsan: with an instrumented standard library"
    export RUSTFLAGS="-Zsanitizer=thread"
    std="-Zbuild-std"
else
    echo "tsan: without an instrumented standard library (there is no rust-src)"
    export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer"
    std=""
fi
mkdir -p target/tsan

# One at a time and uncaptured: what the test harness does with threads and output is not what is tested.
check() {
    log=target/tsan/$package-$1.log
    echo "tsan: $package, $1 (log in $log)"
    # Unquoted, because it may be nothing.
    # shellcheck disable=SC2086
    if ! cargo +nightly test --quiet $std --target "$target" --package "$package" --test "$1" \
        -- --test-threads=1 --nocapture >"$log" 2>&1; then
        cat "$log"
        echo "tsan: $package, $1 FAILED"
        exit 1
    fi
}

package=aioli-executor
# Without the tests that count the allocator's bytes and the process's threads: the sanitizer has its own of both.
for test in lifecycle cancel defer panics wakers order local blocking shutdown; do
    check "$test"
done
AIOLI_STRESS_ROUNDS="${AIOLI_STRESS_ROUNDS:-100}"
export AIOLI_STRESS_ROUNDS
echo "tsan: $AIOLI_STRESS_ROUNDS rounds of stress"
check stress
package=aioli-sync
for test in barrier bounded_semaphore condition event lock once_cell promise queue rw_lock semaphore; do
    check "$test"
done
echo "tsan: clean"
