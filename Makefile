# A thin front to meson; every target first sees to the Debian packages it needs (tools/deps.sh).
#   build/       the product            build-asan/  all tests, ASan + UBSan
#   build-tsan/  the threaded tests     build-fuzz/  libFuzzer, clang     build-cov/  gcov
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.PHONY: build run test bench bench-postgres bench-check bench-race asan tsan tidy fuzz cov fmt install clean

build:
	@tools/deps.sh build
	@test -f build/build.ninja || meson setup build -Dtests=disabled --prefix $(PREFIX)
	@ninja -C build

run: build
	build/pawl demo

test:
	@tools/deps.sh test
	@tools/test.sh asan tsan

asan tsan:
	@tools/deps.sh test
	@tools/test.sh $@

bench:
	@tools/deps.sh bench
	@$(MAKE) --no-print-directory build
	@bench/run.py build
	@bench/postgres.py build
	@bench/check.py build
	@bench/arrival.py build

# One of them alone.
bench-postgres bench-check bench-race:
	@tools/deps.sh bench
	@$(MAKE) --no-print-directory build
	@bench/$(subst race,arrival,$(@:bench-%=%)).py build

tidy:
	@tools/deps.sh test
	@test/gates/tidy.py . build-asan

fuzz:
	@tools/deps.sh test
	@tools/fuzz.sh $(FUZZ_SECONDS)

cov:
	@tools/deps.sh cov
	@tools/cov.sh

fmt:
	@tools/deps.sh test
	@find src include test bench examples -name '*.[ch]' -exec clang-format -i {} +

install: build
	@meson configure build --prefix $(PREFIX)
	@meson install -C build

clean:
	rm -rf build build-asan build-tsan build-fuzz build-cov
