# Sluice. `make help` lists the targets; plain `make` builds build/sluice and the specs' module.
#
# VARIANT=asan builds everything under build/asan with ASan and UBSan, VARIANT=clang under build/clang
# with clang and -Werror, VARIANT=fuzz under build/fuzz for libFuzzer. V=1 shows the commands.

VERSION := 0.1.0
PREFIX  ?= /usr/local
VARIANT ?= plain
T       ?= *
SECONDS ?= 60

# What apt-get installs. `command:package` asks for the package only where the command is missing.
RUN_PACKAGES  := gcc:gcc make:make pkg-config:pkg-config libc6-dev libev-dev libluajit-5.1-dev \
                 libcurl4-openssl-dev lua-cjson node-llhttp ca-certificates node:nodejs npm:npm
TEST_PACKAGES := $(RUN_PACKAGES) git:git luajit:luajit lua-busted lua-check lua-posix libcmocka-dev \
                 clang:clang libclang-rt-dev valgrind:valgrind curl:curl chromium:chromium

# The floors that know no descriptor, and the adapters. core.so holds the first and the rig.
FLOORS   := base event ports hub upstream plan engine script
ADAPTERS := loop http peers

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla
PKGS     := luajit libcurl
LIBS     := -lev -lm

# ---------------------------------------------------------------------------------------------------

BUILD_plain := build
BUILD       := $(or $(BUILD_$(VARIANT)),build/$(VARIANT))

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE_fuzz := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
SANITIZE      := $(SANITIZE_$(VARIANT))
ifneq ($(filter $(VARIANT),clang fuzz),)
CC     := clang
WERROR := 1
endif

# llhttp: the library where there is one, else the C sources that Debian's node-llhttp installs.
# Their loose mode takes any two bytes for the CRLF behind a chunk: STRICT_MODE is what 9 always does.
ifneq ($(shell pkg-config --exists libllhttp 2>/dev/null && echo yes),)
PKGS += libllhttp
else
LLHTTP       := $(wildcard /usr/share/llhttp/*.c)
LLHTTP_FLAGS := -I/usr/share/include/llhttp
endif

CFLAGS  ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -Icore $(LLHTTP_FLAGS) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
COMPILE = $(CC) -std=c11 $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -fno-omit-frame-pointer $(WARNINGS) $(SANITIZE)
LINK    = $(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE)
LDLIBS  += $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(LIBS)
ERROR   := $(if $(WERROR),-Werror)

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(foreach folder,$1,core/$(folder)/*.c)))
LLHTTP_O := $(patsubst /usr/share/llhttp/%.c,$(BUILD)/obj/llhttp/%.o,$(LLHTTP))
SERVER_O := $(call objects,$(FLOORS) $(ADAPTERS) server) $(LLHTTP_O)
MODULE_O := $(call objects,$(FLOORS) rig)
TESTED_O := $(call objects,$(FLOORS) $(ADAPTERS)) $(LLHTTP_O)
UNITS    := $(patsubst spec/c/%.c,$(BUILD)/spec/%,$(wildcard spec/c/test_$(T).c))
BENCHES  := $(patsubst bench/%.c,$(BUILD)/bench/%,$(shell grep -l '^int main' bench/*.c 2>/dev/null))
FUZZERS  := $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard spec/fuzz/fuzz_$(T).c))

# The spec runner itself, without busted's detour through another Lua. A module under ASan needs its runtime first.
PRELOAD_asan = LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so)
BUSTED       = $(PRELOAD_$(VARIANT)) SLUICE_BUILD=$(BUILD) luajit /usr/bin/busted --ignore-lua
VALGRIND    := valgrind -q --error-exitcode=97 --leak-check=full --errors-for-leak-kinds=definite,indirect \
               --show-leak-kinds=definite,indirect --suppressions=$(CURDIR)/spec/valgrind.supp

NPM := $(patsubst %/package-lock.json,%/node_modules,$(wildcard examples/chat/package-lock.json spec/browser/package-lock.json))
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@printf '  %-5s %s\n' $1 $@)
sub  = @$(MAKE) --no-print-directory VARIANT=$1

.DEFAULT_GOAL := all
.PHONY: all help run test lint unit spec e2e asan valgrind mutants bench fuzz docs install clean deps-run deps-test \
        clean-room units benches fuzzers docs-check mutants-check FORCE
.DELETE_ON_ERROR:

all: $(if $(wildcard core/server/main.c),$(BUILD)/sluice,$(SERVER_O)) $(BUILD)/lib/sluice/core.so

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## Build ---------------------------------------------------------------------------------------------

$(BUILD)/sluice: $(SERVER_O)
	$(call say,LINK)
	$(Q)$(LINK) -Wl,-E -o $@ $^ $(LDLIBS)

# The rig as a Lua module. Its Lua is the one of the process that loads it, so it links none.
$(BUILD)/lib/sluice/core.so: $(MODULE_O)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -shared -o $@ $^ -lm

$(BUILD)/core.a: $(TESTED_O)
$(BUILD)/bench.a: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard bench/*.c))
%.a:
	$(call say,AR)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(ERROR) -MMD -MP -c -o $@ $<

$(BUILD)/obj/llhttp/%.o: /usr/share/llhttp/%.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LLHTTP_FLAGS) -DLLHTTP_STRICT_MODE=1 -fPIC -fvisibility=hidden -w $(SANITIZE) -c -o $@ $<

$(BUILD)/spec/%: $(BUILD)/obj/spec/c/%.o $(BUILD)/core.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ -lcmocka $(LDLIBS)

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(BUILD)/bench.a $(BUILD)/core.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz/%: $(BUILD)/obj/spec/fuzz/%.o $(BUILD)/core.a
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Changed flags rebuild what they built.
$(BUILD)/flags: FORCE
	@pkg-config --exists $(PKGS) || { echo 'Libraries are missing: `make deps-run` installs them.' >&2; exit 1; }
	@mkdir -p $(@D); echo "$(COMPILE)" | sed 's/"/\\"/g' | cmp -s - $@ || echo "$(COMPILE)" | sed 's/"/\\"/g' > $@

units: $(UNITS)
benches: $(BENCHES)
fuzzers: $(FUZZERS)
units benches fuzzers: ; @:

.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

## Run -----------------------------------------------------------------------------------------------

run: deps-run $(filter examples/%,$(NPM)) ## install what is missing, build, start the chat example and print its address
	$(call sub,plain) all
	@examples/chat/run

deps-run:
	@spec/deps $(RUN_PACKAGES)

%/node_modules: %/package-lock.json | deps-run
	@echo "Installing with npm: $(notdir $*)'s packages"
	$(Q)cd $* && npm ci --no-audit --no-fund --loglevel=error && touch node_modules

install: all ## install to PREFIX (/usr/local)
	install -D -m 755 build/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 644 sse.lua.conf $(DESTDIR)$(PREFIX)/share/sluice/sse.lua.conf
	cp -r scripts rules client $(DESTDIR)$(PREFIX)/share/sluice/

clean: ## remove build/
	rm -rf build

## Test ----------------------------------------------------------------------------------------------

test: deps-test ## all of lint, unit, spec, e2e, stale docs and patches; the last line counts
	@WERROR=1 spec/run lint unit spec e2e docs-check mutants-check

deps-test:
	@spec/deps $(TEST_PACKAGES)
	$(if $(NPM),$(call sub,plain) $(NPM))

lint: ## clang -Werror, headers that compile alone, luacheck
	$(call sub,clang) all units benches
	@spec/lint

unit: ## C unit tests under ASan and UBSan; T=buf runs one
	$(call sub,asan) units
	@spec/c/run $(patsubst spec/c/%.c,build/asan/spec/%,$(wildcard spec/c/test_$(T).c))

spec: all ## busted, all but end-to-end; T=posta runs one
	@$(BUSTED) $(shell find spec -name '$(T)_spec.lua' -not -path 'spec/e2e/*')

e2e: all ## busted, end-to-end, against the real binary; T=resume runs one
	@$(BUSTED) $(BUSTED_FLAGS) $(shell find spec/e2e -name '$(T)_spec.lua')

asan: deps-test ## unit, spec and e2e, with the server and the specs' module under ASan and UBSan
	@VARIANT=asan SLUICE_PATIENCE=4 spec/run unit spec e2e

valgrind: deps-test ## e2e under valgrind, without the browser
	@SLUICE_WRAP="$(VALGRIND)" SLUICE_PATIENCE=10 BUSTED_FLAGS=--exclude-tags=browser spec/run e2e

mutants: deps-test ## break each promise and see its spec fail; M=name does one
	@spec/mutants/run $(M)

mutants-check:
	@spec/mutants/run --check

fuzz: ## fuzz each parser for SECONDS (60) under ASan and UBSan; T=parser does one
	$(call sub,fuzz) fuzzers
	@spec/fuzz/run $(SECONDS) $(patsubst spec/fuzz/fuzz_%.c,%,$(wildcard spec/fuzz/fuzz_$(T).c))

bench: ## measure against the bare loop; prints a table, writes JSON
	$(call sub,plain) all benches
	@bench/run

docs: all ## write the generated documents again
	@spec/docs

docs-check: all
	@spec/docs --check

clean-room: ## `make run` and `make test` in a fresh Debian, then again without a network (root)
	@spec/chroot/run
