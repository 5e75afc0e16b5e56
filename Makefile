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
                 libcurl4-openssl-dev libhiredis-dev libjwt-dev lua-cjson libsystemd-dev node-llhttp ca-certificates node:nodejs npm:npm
TEST_PACKAGES := $(RUN_PACKAGES) git:git luajit:luajit lua-busted lua-check lua-posix libcmocka-dev \
                 clang:clang libclang-rt-dev valgrind:valgrind curl:curl chromium:chromium \
                 redis-server:redis-server redis-cli:redis-tools nginx:nginx caddy:caddy haproxy:haproxy systemd-analyze:systemd systemd-socket-activate:systemd

# The floors that know no descriptor, and the adapters. core.so holds the first and the rig.
FLOORS   := base event ports hub upstream cluster tape plan engine script
ADAPTERS := loop http peers

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla
PKGS     := luajit libcurl libjwt libsystemd hiredis
LIBS     := -lev -lm

# ---------------------------------------------------------------------------------------------------

BUILD    := $(if $(filter plain,$(VARIANT)),build,build/$(VARIANT))
SANITIZE := $(if $(filter asan fuzz,$(VARIANT)),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined) \
            $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer-no-link)
ifneq ($(filter clang fuzz,$(VARIANT)),)
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

CFLAGS   ?= -O2 -g
DEFINES  := -D_GNU_SOURCE -DSLUICE_VERSION=\"$(VERSION)\" -I. -Icore $(LLHTTP_FLAGS) \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) $(LIBS) $(LDLIBS)
SHAPE    := -fPIC -fvisibility=hidden -fno-omit-frame-pointer
COMPILE   = $(CC) -std=c11 $(DEFINES) $(CPPFLAGS) $(CFLAGS) $(SHAPE) $(WARNINGS) $(SANITIZE)
LINK      = $(CC) $(CFLAGS) $(LDFLAGS) $(SANITIZE)

objects   = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(foreach folder,$1,core/$(folder)/*.c)))
LLHTTP_O := $(patsubst /usr/share/llhttp/%.c,$(BUILD)/obj/llhttp/%.o,$(LLHTTP))
ROOMS_O  := $(call objects,$(FLOORS) $(ADAPTERS)) $(LLHTTP_O)
SERVER_O := $(call objects,server) $(ROOMS_O)
MODULE_O := $(call objects,$(FLOORS) rig)
BENCH_O  := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard bench/*.c))
UNITS    := $(patsubst spec/c/%.c,$(BUILD)/spec/%,$(wildcard spec/c/test_$(T).c))
FUZZERS  := $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard spec/fuzz/fuzz_$(T).c))
BENCHES  := $(patsubst bench/%.c,$(BUILD)/bench/%,$(shell grep -l '^int main' bench/*.c 2>/dev/null))
SWARM_O  := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard spec/swarm/*.c))
SPECS     = $(or $(sort $(shell find spec -name '$(T)_spec.lua' $(if $(filter *,$(T)),! -name '*_ordeal_spec.lua') $1 -path 'spec/e2e/*')),no-spec-named-$(T))
MODULES  := $(patsubst %/package-lock.json,%/node_modules,$(wildcard examples/*/package-lock.json spec/*/package-lock.json))

# The spec runner itself, without busted's detour through another Lua. A module under ASan needs its runtime first.
PRELOAD_asan = LD_PRELOAD=$(shell $(CC) -print-file-name=libasan.so)
BUSTED       = $(PRELOAD_$(VARIANT)) SLUICE_BUILD=$(BUILD) luajit /usr/bin/busted --ignore-lua
VALGRIND    := valgrind -q --error-exitcode=97 --leak-check=full --errors-for-leak-kinds=definite,indirect \
               --show-leak-kinds=definite,indirect --suppressions=$(CURDIR)/spec/valgrind.supp

SOAK   := @VARIANT=asan SLUICE_PATIENCE=4
EXPORT := -Wl,-E
PINNED := -shared -Wl,-z,nodelete
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@printf '  %-5s %s\n' $1 $@)
sub  = @$(MAKE) --no-print-directory VARIANT=$1
# Seconds, subscribers, seeds, seeds with several Redis servers.
define ordeal
	@CLUSTER_SECONDS=$(or $(CLUSTER_SECONDS),$1) CLUSTER_STREAMS=$(or $(CLUSTER_STREAMS),$2) CLUSTER_SEEDS="$(or $(CLUSTER_SEEDS),$3)" \
	CLUSTER_SPREAD_SEEDS="$(or $(CLUSTER_SPREAD_SEEDS),$4)" $(MAKE) --no-print-directory e2e T=cluster_ordeal
endef
define link
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $1
endef

.DEFAULT_GOAL := all
.PHONY: all help units fuzzers benches modules run run-board run-inventory run-rooms run-rooms-cluster install clean test lint unit spec e2e \
        browser asan valgrind mutants fuzz bench bench-workers reload-storm soak soak-short cluster cluster-short docs clean-room deps-run deps-test docs-check mutants-check FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(if $(wildcard core/server/main.c),$(BUILD)/sluice,$(SERVER_O)) $(BUILD)/lib/sluice/core.so

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

## Build ---------------------------------------------------------------------------------------------

$(BUILD)/sluice: $(SERVER_O)
	$(call link,$(EXPORT) $(LIBS))

# The rig as a Lua module. Its Lua is the one of the process that loads it, so it links none. It stays
# where it is when that Lua is closed: a signal of the watchdog may come later.
$(BUILD)/lib/sluice/core.so: $(MODULE_O)
	$(call link,$(PINNED) -ljwt -lm)

# An archive gives a test only what it does not include itself.
$(BUILD)/core.a: $(ROOMS_O)
$(BUILD)/bench.a: $(BENCH_O)
$(BUILD)/%.a:
	$(call say,AR)
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/spec/%: $(BUILD)/obj/spec/c/%.o $(BUILD)/core.a
	$(call link,-lcmocka $(LIBS))

$(BUILD)/fuzz/%: $(BUILD)/obj/spec/fuzz/%.o $(BUILD)/core.a
	$(call link,-fsanitize=fuzzer $(LIBS))

# What plays with a cluster's nodes, on the benchmark's sockets.
$(BUILD)/swarm: $(SWARM_O) $(BUILD)/bench.a
	$(call link)

# Of the benchmark, the sinks alone know core/.
$(BUILD)/bench/sinks: $(BUILD)/core.a
$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(BUILD)/bench.a
	$(call link)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(if $(WERROR),-Werror) -MMD -MP -c -o $@ $<

# The scripts that run in a Redis server are the assembler's to take in.
$(BUILD)/obj/core/cluster/scripts.o: $(wildcard core/cluster/*.lua)

$(BUILD)/obj/llhttp/%.o: /usr/share/llhttp/%.c $(BUILD)/flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LLHTTP_FLAGS) -DLLHTTP_STRICT_MODE=1 $(SHAPE) -w $(SANITIZE) -c -o $@ $<

# Other flags build everything again.
$(BUILD)/flags: FORCE
	@pkg-config --exists $(PKGS) || { echo 'Libraries are missing: `make deps-run` installs them.' >&2; exit 1; }
	@mkdir -p $(@D) && echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

units: $(UNITS)
fuzzers: $(FUZZERS)
benches: $(BENCHES)
modules: $(MODULES)
units fuzzers benches modules: ; @:

## Run -----------------------------------------------------------------------------------------------

run: deps-run ## install what is missing, build, start the chat example and print its address
	$(call sub,plain) all $(filter examples/%,$(MODULES))
	@examples/chat/run

run-board: deps-run ## the same with the boards: cards that move in all tabs
	$(call sub,plain) all
	@examples/board/run

run-inventory: deps-run ## the same with an inventory's activity feed, behind nginx where that is installed
	$(call sub,plain) all
	@examples/inventory/run

run-rooms: deps-run ## the same with the rooms: who is here, talk, jobs with a bar
	$(call sub,plain) all
	@examples/rooms/run

run-rooms-cluster: deps-run ## the same on two nodes that share a Redis; prints both addresses
	@spec/deps redis-server:redis-server
	$(call sub,plain) all
	@examples/rooms/run 2

install: all ## install to PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 644 $(BUILD)/lib/sluice/core.so $(DESTDIR)$(PREFIX)/lib/sluice/core.so
	install -D -m 644 sse.lua.conf $(DESTDIR)$(PREFIX)/share/sluice/sse.lua.conf
	cp -r scripts rules client examples/systemd examples/proxies $(DESTDIR)$(PREFIX)/share/sluice/

clean: ## remove build/
	rm -rf build

## Test ----------------------------------------------------------------------------------------------

test: deps-test ## lint, unit, spec, e2e, soak-short, cluster-short, browser, stale docs and patches; the last line counts
	@WERROR=1 spec/run lint unit spec e2e soak-short cluster-short browser docs-check mutants-check

lint: ## clang -Werror, headers that compile alone, luacheck
	$(call sub,clang) all units benches build/clang/swarm
	@spec/lint

unit: ## C unit tests under ASan and UBSan; T=buf runs one
	$(call sub,asan) units
	@spec/c/run $(patsubst spec/c/%.c,build/asan/spec/%,$(wildcard spec/c/test_$(T).c))

spec: all ## busted, all but end-to-end; T=posta runs one
	$(call sub,plain) build/swarm
	@$(BUSTED) $(call SPECS,-not)

e2e: all ## busted, end-to-end, against the real binary; T=resume runs one
	$(call sub,plain) benches build/swarm
	@spec/abreast "$(BUSTED)" "$(filter-out spec/e2e/cluster_%,$(SPECS))" "$(filter spec/e2e/cluster_%,$(SPECS))"

reload-storm: ## 5,000 streams, 500 events a second, a reload every 200 ms, for SECONDS (60)
	@RELOAD_STORM_SECONDS=$(SECONDS) $(MAKE) --no-print-directory e2e T=reload_storm

soak: ## ten minutes (SOAK_SECONDS) of random clients, publishes and reloads under ASan and UBSan
	$(SOAK) SOAK_SECONDS=$(or $(SOAK_SECONDS),600) SOAK_SEEDS="$(or $(SOAK_SEEDS),1)" $(MAKE) --no-print-directory e2e T=soak

soak-short: ## the same: three seeds, 20 s each
	$(SOAK) SOAK_SECONDS=20 SOAK_SEEDS="1 2 3" $(MAKE) --no-print-directory e2e T=soak

cluster: ## two minutes (CLUSTER_SECONDS) of 3,000 subscribers while nodes and Redis meet faults (CLUSTER_SEEDS)
	$(call ordeal,120,3000,1,1)

cluster-short: ## the same: three seeds of nodes on one Redis, a minute and 1,500 subscribers each
	$(call ordeal,60,1500,1 2 3,none)

browser: all ## Node's runner: the chat in a real browser; T=chat runs one
	@SLUICE_BUILD=$(BUILD) node --test --test-reporter=spec $(or $(wildcard spec/browser/$(T).test.mjs),no-such-test)

asan: deps-test ## unit, spec, e2e and browser, with the server and the specs' module under ASan and UBSan
	@VARIANT=asan SLUICE_PATIENCE=4 spec/run unit spec e2e browser

valgrind: deps-test ## e2e under valgrind
	@SLUICE_WRAP="$(VALGRIND)" SLUICE_PATIENCE=10 spec/run e2e

mutants: deps-test ## break each promise and see its spec fail; M=name does one
	@spec/mutants/run $(M)

fuzz: ## fuzz each parser for SECONDS (60) under ASan and UBSan; T=parser does one
	$(call sub,fuzz) fuzzers
	@spec/fuzz/run $(SECONDS) $(patsubst spec/fuzz/fuzz_%.c,%,$(wildcard spec/fuzz/fuzz_$(T).c))

bench: ## measure against the bare loop, print a table, write JSON; ARGS="--size small" is bench/run's
	$(call sub,plain) all benches
	@bench/run $(ARGS)

bench-workers: ## 50,000 streams over four workers, with a topic each; ARGS="WORKERS STREAMS SECONDS"
	$(call sub,plain) all benches
	@bench/workers $(ARGS)

docs: all ## write the generated documents again
	@spec/docs

clean-room: ## `make run` and `make test` in a fresh Debian, then again without a network (root)
	@spec/chroot/run

## The parts ----------------------------------------------------------------------------------------

deps-run: ## install the packages that building and running need
	@spec/deps $(RUN_PACKAGES)

deps-test: ## install the packages that the tests need
	@spec/deps $(TEST_PACKAGES)
	$(call sub,plain) modules

%/node_modules: %/package-lock.json
	@echo "Installing with npm: what $(<D) names"
	$(Q)cd $(<D) && npm ci --no-audit --no-fund --loglevel=error && touch node_modules

docs-check: all ## are the generated documents fresh?
	@spec/docs --check

mutants-check: ## do the mutants' patches still apply?
	@spec/mutants/run --check
