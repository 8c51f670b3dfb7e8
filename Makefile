# SPDX-License-Identifier: BSD-2-Clause
# A thin cover over Meson: what a newcomer types. `make help` lists the targets.
BUILD ?= build
# options for meson setup, when $(BUILD) is made
SETUP ?=
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
FLOW ?= flows/tdx.flow

.PHONY: help deps build run test bench install clean

help:
	@echo "make run      set up, build, play the TDX Connect life cycle and print its chart"
	@echo "make test     set up, build, run the tests"
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

test: build
	@meson test -C $(BUILD) --print-errorlogs

bench: build
	@bench/run $(BUILD)

install: build
	@meson configure $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))
	@meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)
