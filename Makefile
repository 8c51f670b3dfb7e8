# SPDX-License-Identifier: BSD-2-Clause
# A thin cover over Meson: what a newcomer types. `make help` lists the targets.
BUILD ?= build
# options for meson setup, when $(BUILD) is made
SETUP ?=
# the kernel's selftests and headers, for make conformance
BUNDLE ?= ../shared/linux-7.2-selftests.tar.xz
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
FLOW ?= flows/tdx.flow

.PHONY: help deps build run test conformance bench install clean

help:
	@echo "make run      set up, build, play the life cycles: a chart, and the platforms side by side"
	@echo "make test     set up, build, run the tests"
	@echo "make conformance  run the kernel's own selftests (BUNDLE=their tarball, default"
	@echo "              $(BUNDLE))"
	@echo "make bench    measure, side by side with peers"
	@echo "make install  install the command, its drop-in and its man page (PREFIX=/usr/local)"
	@echo "make deps     install what is needed (Debian packages: see tools/deps)"
	@echo "make build    build into $(BUILD)/"

deps:
	@tools/deps

build: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) $(SETUP) > /dev/null
	@ninja -C $(BUILD) --quiet

run: build
	@$(BUILD)/src/cli/swtio run --legend $(FLOW)
	@$(BUILD)/src/cli/swtio compare --html $(BUILD)/compare.html tdx sev cca

test: build
	@meson test -C $(BUILD) --print-errorlogs

conformance: build
	@tools/deps libcap-dev xz-utils make
	@tests/kernel_selftests $(BUNDLE) $(BUILD)
	@tests/kernel_selftests_vfio $(BUNDLE) $(BUILD)

bench: build
	@bench/run $(BUILD)

install: build
	@meson configure $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)
