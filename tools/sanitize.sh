#!/usr/bin/env bash
# Builds the core with AddressSanitizer and UndefinedBehaviorSanitizer in build/sanitize and runs the
# smoke tests on it, or pytest with the arguments given: tools/sanitize.sh tests/test_threads.py
# The pool of threads is checked alone under ThreadSanitizer first (which cannot judge libgomp).
# Needs gcc, cmake, pybind11 and the test requirements.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/sanitize
site=$build/site

mkdir -p "$build"
"${CXX:-g++}" -std=c++17 -g -O1 -fsanitize=thread -pthread -I csrc tests/parallel_test.cpp \
  csrc/core/{parallel,cpus,storage,team_pool}.cpp -o "$build/parallel_test"
TSAN_OPTIONS=halt_on_error=1 "$build/parallel_test"

cmake -S . -B "$build" -DCHAINRULE_SANITIZE=ON -DSKBUILD_PROJECT_VERSION=sanitize \
  -DPython_EXECUTABLE="$(command -v python)" -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" \
  -DCMAKE_CXX_COMPILER="${CXX:-g++}"
cmake --build "$build" --parallel "${JOBS:-2}"
rm -rf "$site"
mkdir -p "$site"
cp -r python/chainrule "$site"
rm -f "$site"/chainrule/*.so
cmake --install "$build" --prefix "$site" >/dev/null

# The interpreter is not instrumented, so the runtime goes in first; libstdc++ must follow it, or
# the first C++ exception ends the process inside the runtime.
preload="$("${CXX:-g++}" -print-file-name=libasan.so) $("${CXX:-g++}" -print-file-name=libstdc++.so)"
if [[ $# -eq 0 ]]; then
  set -- -m smoke tests
fi
# CPython leaks by design at exit: leaks are sought with PYTHONMALLOC=malloc and detect_leaks=1.
exec env LD_PRELOAD="$preload" PYTHONPATH="$PWD/$site" PYTHONDONTWRITEBYTECODE=1 \
  ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:abort_on_error=1:allocator_may_return_null=1}" \
  UBSAN_OPTIONS="${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}" \
  python -m pytest -q -p no:cacheprovider --capture=sys "$@"
