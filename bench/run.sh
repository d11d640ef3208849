#!/usr/bin/env bash
# Builds Headwater, installs the official Rust server beside it, runs every workload on both in turns, and puts the table
# into bench/README.md. Arguments go to `headwater-bench run`: `bench/run.sh --only delivery --rounds 5`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly official=target/official
readonly official_version=0.1.5

if [[ ! -x $official/bin/durable-streams-server ]]; then
  cargo install durable-streams --version "$official_version" --root "$official" --locked
fi
cargo build --release --locked -p headwater -p headwater-bench

# A part of the workloads must not replace the table of all of them.
if (($# == 0)); then set -- --markdown bench/README.md; fi
exec target/release/headwater-bench run "$@"
