# make            build smtp/core.so, socket.so and crypto.so for one Lua (LUA=lua5.4)
# make build      the same for every Lua that is installed
# make deps       install the Debian packages that are missing (as root or by sudo)
# make demo       install what is missing, build, send real mail to the embedded sink, show it
# make contact-form   install what is missing, build, run a contact form in nginx and show its mail
# make test       install what is missing, build, run every spec under every Lua
# make check      what must pass before a commit
# make bench      install what is missing, and measure: ours, other clients, this machine's limit
# make fuzz       a million inputs for each harness (RUNS=1000000)
# make install    into DESTDIR and PREFIX, for one Lua; make uninstall removes that again

LUA    ?= lua5.4
LUAS   ?= lua5.4 lua5.1 lua5.2 lua5.3 luajit
CFLAGS ?= -O2 -g
OUT    := build/$(LUA)
SPEC   ?= $(shell .ci/specs)
RUNS   ?= 1000000

LUA_CFLAGS = $(shell pkg-config --cflags $(LUA))
LUA_VERSION = $(or $(patsubst lua%,%,$(filter lua5%,$(LUA))),5.1)
PREFIX     ?= /usr/local
LUA_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
LUA_DIR    ?= $(PREFIX)/share/lua/$(LUA_VERSION)

STD  := -std=c11 -D_GNU_SOURCE -fPIC
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wswitch -Wvla -Wformat=2
# Hardening; HARDEN= HARDEN_LD= turns it off. Fortified functions need optimisation, and would hide
# from the sanitizers what those look for.
HARDEN := -fstack-protector-strong "-ffile-prefix-map=$(CURDIR)=."
HARDEN_LD := -Wl,-z,relro,-z,now
ifneq ($(filter -O1 -O2 -O3 -Os -Og -Ofast,$(CFLAGS)),)
ifeq ($(findstring -fsanitize,$(CFLAGS)),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif
CORE := $(wildcard csrc/engine/*.c csrc/engine/auth/*.c csrc/text/*.c csrc/lua/*.c)
SOCKET := $(wildcard csrc/socket/*.c)
CRYPTO := $(wildcard csrc/crypto/*.c) csrc/text/base64.c csrc/text/saslname.c
SOS  := $(OUT)/smtp/core.so $(OUT)/smtp/socket.so $(OUT)/smtp/crypto.so

export LUA_PATH := $(CURDIR)/lua/?.lua;$(CURDIR)/?.lua;;
export LUA_CPATH := $(CURDIR)/$(OUT)/?.so;;

OBJECTS := $(sort $(patsubst csrc/%.c,$(OUT)/obj/%.o,$(CORE) $(SOCKET) $(CRYPTO)))

all: $(SOS)

objects: $(OBJECTS)

$(OUT)/smtp/core.so: $(CORE:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/socket.so: $(SOCKET:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/crypto.so: $(CRYPTO:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/socket.so: LDLIBS = -lssl -lcrypto -lpthread -ldl
$(OUT)/smtp/crypto.so: LDLIBS = -lcrypto -ldl
$(SOS):
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

build:
	@for lua in $(LUAS); do $(MAKE) --no-print-directory LUA=$$lua all || exit 1; done

spec: all
	@busted --lua=$(LUA) --helper=spec/tools/recorder.lua -o plainTerminal -p _spec $(SPEC)

deps-%:
	@.ci/deps $*

deps: deps-test

demo: deps-demo
	@$(MAKE) --no-print-directory all
	@$(LUA) examples/demo.lua

contact-form: deps-contact-form
	@$(MAKE) --no-print-directory -s LUA=luajit all
	@examples/contact-form/run $(SECONDS)

test: deps-test
	@$(MAKE) --no-print-directory build
	@.ci/test $(LUAS)

check: deps-test
	@.ci/check

bench: deps-bench bench-build
	@spec/bench/run $(WORKLOADS)
	@spec/bench/compose/run $(WORKLOADS)
	@$(if $(WORKLOADS),,$(LUA) spec/bench/chart.lua build/bench/results.tsv spec/bench/bench.svg)

bench-instructions: deps-bench bench-build
	@spec/bench/run --instructions

bench-build: all
	@spec/bench/build

fuzz: deps-test
	@spec/fuzz/run $(RUNS)

INSTALLED := $(filter-out %/types.lua,$(shell find lua/smtp -name "*.lua"))

# The command starts with the Lua that it was installed for, and finds its modules under any PREFIX.
install: all
	install -D -t "$(DESTDIR)$(LUA_LIBDIR)/smtp" $(SOS)
	for file in lua/smtp.lua $(INSTALLED); do \
	   install -D -m 644 "$$file" "$(DESTDIR)$(LUA_DIR)/$${file#lua/}" || exit 1; done
	sed -e '1s|.*|#!/usr/bin/env $(LUA)|' \
	   -e '2a package.path = [[$(LUA_DIR)/?.lua;]] .. package.path' \
	   -e '2a package.cpath = [[$(LUA_LIBDIR)/?.so;]] .. package.cpath' csrc/lua-smtp >$(OUT)/lua-smtp
	install -D -t "$(DESTDIR)$(PREFIX)/bin" $(OUT)/lua-smtp

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/lua-smtp" "$(DESTDIR)$(LUA_DIR)/smtp.lua"
	for file in $(INSTALLED); do rm -f "$(DESTDIR)$(LUA_DIR)/$${file#lua/}"; done
	for name in $(notdir $(SOS)); do rm -f "$(DESTDIR)$(LUA_LIBDIR)/smtp/$$name"; done
	for dir in "$(DESTDIR)$(LUA_DIR)/smtp" "$(DESTDIR)$(LUA_LIBDIR)/smtp"; do \
	   [ ! -d "$$dir" ] || find "$$dir" -depth -type d -empty -delete; done

clean:
	rm -rf build

# A header that is gone: what included it is compiled again.
csrc/%.h: ;

.PHONY: all objects deps build spec demo contact-form test check bench bench-instructions bench-build fuzz \
        install uninstall clean
-include $(OBJECTS:.o=.d)
