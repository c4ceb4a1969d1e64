# make            build smtp/core.so, socket.so, tls.so and crypto.so for one Lua (LUA=lua5.4)
# make build      the same for every Lua that is installed
# make deps       install the Debian packages that are missing (as root or by sudo)
# make demo       install what is missing, build, send real mail to the embedded sink, show it
# make contact-form   install what is missing, build, run a contact form in nginx and show its mail
# make test       install what is missing, build, run every spec under every Lua
# make test-hosts run the specs in event loops of other programs, which are unpacked, not installed
# make check      what must pass before a commit
# make bench      install what is missing, and measure: ours, other clients, this machine's limit
# make proof      all that is promised, within an hour (PROOF="cuts fuzz": only these)
# make mutants    faults in the code that the specs have to find; may be stopped, and goes on from there
# make coverage   the lines of lua/ and csrc/ that no spec runs; it ends with an error where one is not listed
# make fuzz       a million inputs for each harness (RUNS=1000000)
# make install    into DESTDIR and PREFIX, for one Lua; make uninstall removes that again
# make rock       write build/rock/lua-smtp-VERSION.src.rock, which LuaRocks installs without a network
# make dist       write build/lua-smtp-VERSION.tar.gz: the files of the last commit
# make store      build smtp/sqlite_store.so, which `make` does where pkg-config finds sqlite3
#
# pkg-config finds Lua, and the compiler OpenSSL and SQLite; LUA_INCDIR, OPENSSL_INCDIR, OPENSSL_LIBDIR,
# SQLITE_INCDIR and SQLITE_LIBDIR name other folders.

LUA    ?= lua5.4
LUAS   ?= lua5.4 lua5.1 lua5.2 lua5.3 luajit
CFLAGS ?= -O2 -g
OUT    := build/$(LUA)
SPEC   ?= $(shell .ci/specs)
RUNS   ?= 1000000

LUA_CFLAGS = $(if $(LUA_INCDIR),"-I$(LUA_INCDIR)",$(shell pkg-config --cflags $(LUA) 2>/dev/null))
OPENSSL_CFLAGS = $(if $(OPENSSL_INCDIR),"-I$(OPENSSL_INCDIR)")
RPATH := -Wl,-rpath,
OPENSSL_LDFLAGS = $(if $(filter-out /usr/lib%,$(OPENSSL_LIBDIR)),"-L$(OPENSSL_LIBDIR)" "$(RPATH)$(OPENSSL_LIBDIR)")
SQLITE_LDFLAGS = $(if $(filter-out /usr/lib%,$(SQLITE_LIBDIR)),"-L$(SQLITE_LIBDIR)" "$(RPATH)$(SQLITE_LIBDIR)")
LUA_VERSION = $(or $(patsubst lua%,%,$(filter lua5.%,$(LUA))),$(shell $(LUA) -e 'print(_VERSION:sub(5))'))
PREFIX     ?= /usr/local
LUA_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
LUA_DIR    ?= $(PREFIX)/share/lua/$(LUA_VERSION)
BINDIR     ?= $(PREFIX)/bin
MAN        := $(PREFIX)/share/man/man1/lua-smtp.1
BASH       := $(PREFIX)/share/bash-completion/completions/lua-smtp
ZSH        := $(PREFIX)/share/zsh/site-functions/_lua-smtp
FISH       := $(PREFIX)/share/fish/vendor_completions.d/lua-smtp.fish

# What linkers differ in.
SYSTEM     := $(shell uname -s)
LIBFLAG    ?= $(if $(filter Darwin,$(SYSTEM)),-bundle -undefined dynamic_lookup,-shared)
DL         := $(if $(filter Linux,$(SYSTEM)),-ldl)

STD  := -std=c11 -D_GNU_SOURCE -fPIC
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wswitch -Wvla -Wformat=2
# Hardening; HARDEN= HARDEN_LD= turns it off. Fortified functions need optimisation, and would hide
# from the sanitizers what those look for.
HARDEN := -fstack-protector-strong "-ffile-prefix-map=$(CURDIR)=."
HARDEN_LD := $(if $(filter Darwin,$(SYSTEM)),,-Wl,-z,relro,-z,now)
ifneq ($(filter -O1 -O2 -O3 -Os -Og -Ofast,$(CFLAGS)),)
ifeq ($(findstring -fsanitize,$(CFLAGS)),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif
CORE := $(wildcard csrc/engine/*.c csrc/engine/auth/*.c csrc/text/*.c csrc/lua/*.c)
TLS_ALONE := $(wildcard csrc/socket/*tls*.c) $(addprefix csrc/socket/,binding.c certificate.c fault.c handshake.c)
TLS := $(TLS_ALONE) $(addprefix csrc/socket/,address.c stream.c wait.c words.c)
SOCKET := $(filter-out $(TLS_ALONE),$(wildcard csrc/socket/*.c))
CRYPTO := $(wildcard csrc/crypto/*.c) csrc/text/base64.c csrc/text/saslname.c
STORE := $(wildcard csrc/store/*.c)
SOS  := $(OUT)/smtp/core.so $(OUT)/smtp/socket.so $(OUT)/smtp/tls.so $(OUT)/smtp/crypto.so
# The store of smtp.outbox has a rock of its own, and is built where SQLite's headers are.
STORE_SO := $(OUT)/smtp/sqlite_store.so
HAS_SQLITE := $(shell pkg-config --exists sqlite3 && echo yes)

export LUA_PATH := $(CURDIR)/lua/?.lua;$(CURDIR)/?.lua;;
export LUA_CPATH := $(CURDIR)/$(OUT)/?.so;;

OBJECTS := $(sort $(patsubst csrc/%.c,$(OUT)/obj/%.o,$(CORE) $(SOCKET) $(TLS) $(CRYPTO) \
   $(if $(HAS_SQLITE),$(STORE))))

all: $(SOS) $(if $(HAS_SQLITE),$(STORE_SO))

objects: $(OBJECTS)

$(OUT)/smtp/core.so: $(CORE:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/socket.so: $(SOCKET:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/tls.so: $(TLS:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/crypto.so: $(CRYPTO:csrc/%.c=$(OUT)/obj/%.o)
$(STORE_SO): $(STORE:csrc/%.c=$(OUT)/obj/%.o)
$(OUT)/smtp/socket.so: LDLIBS = -lpthread $(DL)
$(OUT)/smtp/tls.so: LDLIBS = $(OPENSSL_LDFLAGS) -lssl -lcrypto $(DL)
$(OUT)/smtp/crypto.so: LDLIBS = $(OPENSSL_LDFLAGS) -lcrypto $(DL)
$(STORE_SO): LDLIBS = $(SQLITE_LDFLAGS) -lsqlite3
$(STORE:csrc/%.c=$(OUT)/obj/%.o): CPPFLAGS += $(if $(SQLITE_INCDIR),"-I$(SQLITE_INCDIR)")
$(SOS) $(STORE_SO):
	@mkdir -p $(@D)
	$(CC) $(LIBFLAG) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The headers are looked for once, before the first file is compiled.
$(OBJECTS): | $(OUT)/headers

$(OUT)/headers:
	@$(call find_header,lua.h,Lua,$(LUA_DEV),LUA_INCDIR=FOLDER; for another Lua: LUA=lua5.4)
	@$(call find_header,openssl/ssl.h,OpenSSL 3,libssl-dev,OPENSSL_INCDIR=FOLDER)
	@mkdir -p $(@D) && touch $@

# The Debian package with the headers of this Lua.
LUA_DEV = pkg-config and $(patsubst liblua5.1-dev,liblua5.1-0-dev,$(patsubst libluajit-dev,libluajit2-5.1-dev,lib$(notdir $(LUA))-dev))

define find_header
echo '#include <$(1)>' | $(CC) $(CPPFLAGS) $(CFLAGS) $(LUA_CFLAGS) $(OPENSSL_CFLAGS) -E -x c -o /dev/null - 2>/dev/null || \
{ echo "The headers of $(2) ($(1)) for LUA=$(LUA) are missing. Install them (Debian: $(3)), or name their folder: $(4)." >&2; exit 1; }
endef

$(OUT)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS) $(LUA_CFLAGS) $(OPENSSL_CFLAGS) -MMD -c -o $@ $<

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
	@$(MAKE) --no-print-directory -j2 build
	@.ci/test $(LUAS)

test-hosts: deps-test
	@spec/hosts/run

check: deps-test
	@.ci/check

bench: deps-bench bench-build
	@spec/bench/run $(WORKLOADS)
	@spec/bench/compose/run $(WORKLOADS)
	@spec/bench/outbox/run $(WORKLOADS)
	@$(if $(WORKLOADS),,spec/bench/startup)
	@$(if $(WORKLOADS),,$(LUA) spec/bench/chart.lua build/bench/results.tsv spec/bench/bench.svg spec/bench/results.md)

bench-instructions: deps-bench bench-build
	@spec/bench/run --instructions
	@spec/bench/startup --quick

bench-build: all
	@spec/bench/build

fuzz: deps-test
	@spec/fuzz/run $(RUNS)

# All that this library promises, or what PROOF names, with a row for each: within an hour on two cores.
proof: deps-test
	@$(MAKE) --no-print-directory LUA=lua5.4 all
	@lua5.4 spec/proof/run.lua

# Faults in the code that the specs have to find: MUTANTS of them, or all. It goes on where it was stopped.
mutants: deps-test
	@spec/mutants/run

# Lines that the specs do not run, and that spec/coverage/missed does not list.
coverage: deps-test
	@spec/coverage/run

# ---- installation ----

MODULES := lua/smtp.lua $(shell find lua/smtp -name "*.lua")

install-modules: all
	@mkdir -p "$(DESTDIR)$(LUA_LIBDIR)/smtp" "$(DESTDIR)$(BINDIR)"
	install -m 755 $(SOS) $(if $(HAS_SQLITE),$(STORE_SO)) "$(DESTDIR)$(LUA_LIBDIR)/smtp"
	@for file in $(MODULES); do \
	   to="$(DESTDIR)$(LUA_DIR)/$${file#lua/}"; \
	   mkdir -p "$${to%/*}" && install -m 644 "$$file" "$$to" || exit 1; done

# The command starts with the Lua that it was installed for, and finds its modules under any PREFIX.
install: install-modules
	{ echo '#!/usr/bin/env $(LUA)'; \
	  echo "package.path = [[$(LUA_DIR)/?.lua;]] .. package.path"; \
	  echo "package.cpath = [[$(LUA_LIBDIR)/?.so;]] .. package.cpath"; \
	  sed 1d csrc/lua-smtp; } >$(OUT)/lua-smtp
	install -m 755 $(OUT)/lua-smtp "$(DESTDIR)$(BINDIR)/lua-smtp"
	$(call install_text,man,$(MAN))
	$(call install_text,bash,$(BASH))
	$(call install_text,zsh,$(ZSH))
	$(call install_text,fish,$(FISH))
	@echo "The command lua-smtp runs with $(LUA)."
	$(if $(HAS_SQLITE),,@echo "smtp.outbox has no SQLite store: install libsqlite3-dev, and make install again.")

# The man page, or the completion for a shell, from what the command says of itself.
define install_text
$(LUA) .ci/manual.lua $(1) >$(OUT)/lua-smtp.$(1)
to="$(DESTDIR)$(2)"; mkdir -p "$${to%/*}" && install -m 644 $(OUT)/lua-smtp.$(1) "$$to"
endef

# The command is left where its modules are in the folder of another Lua.
uninstall:
	if ! [ -e "$(DESTDIR)$(BINDIR)/lua-smtp" ] || \
	   grep -Fq "[[$(LUA_DIR)/?.lua;]]" "$(DESTDIR)$(BINDIR)/lua-smtp"; then \
	   for file in "$(BINDIR)/lua-smtp" "$(MAN)" "$(BASH)" "$(ZSH)" "$(FISH)"; do rm -f "$(DESTDIR)$$file"; done; fi
	for file in $(MODULES); do rm -f "$(DESTDIR)$(LUA_DIR)/$${file#lua/}"; done
	for name in $(notdir $(SOS) $(STORE_SO)); do rm -f "$(DESTDIR)$(LUA_LIBDIR)/smtp/$$name"; done
	for dir in "$(DESTDIR)$(LUA_DIR)/smtp" "$(DESTDIR)$(LUA_LIBDIR)/smtp"; do \
	   [ ! -d "$$dir" ] || find "$$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true; done

# What LuaRocks calls, see the rockspec. It gives the paths, and sets up the command itself.
build-rock:
	@rm -rf build/rocks
	@$(MAKE) --no-print-directory OUT=build/rocks HAS_SQLITE= all

install-rock:
	@$(MAKE) --no-print-directory OUT=build/rocks HAS_SQLITE= install-modules
	install -m 755 csrc/lua-smtp "$(BINDIR)/lua-smtp"

# What LuaRocks calls for the rock of the outbox, which is the store alone.
build-store-rock:
	@rm -rf build/rocks
	@$(MAKE) --no-print-directory OUT=build/rocks store

install-store-rock:
	@mkdir -p "$(LUA_LIBDIR)/smtp"
	install -m 755 build/rocks/smtp/sqlite_store.so "$(LUA_LIBDIR)/smtp"

store: $(STORE_SO)

ROCKSPEC := $(notdir $(wildcard lua-smtp-[0-9]*.rockspec))
RELEASE := $(patsubst lua-smtp-%-1.rockspec,lua-smtp-%,$(ROCKSPEC))

rock:
	rm -rf build/rock
	mkdir -p build/rock/$(RELEASE)
	git ls-files | tar -cf - -T - | tar -xf - -C build/rock/$(RELEASE)
	cd build/rock && tar -czf $(RELEASE).tar.gz $(RELEASE) && rm -r $(RELEASE) && \
	   cp ../../$(ROCKSPEC) . && zip -q $(RELEASE)-1.src.rock $(ROCKSPEC) $(RELEASE).tar.gz

# The files of the last commit: the same octets each time.
dist:
	mkdir -p build
	git archive --prefix=$(RELEASE)/ HEAD | gzip -9n >build/$(RELEASE).tar.gz
	cd build && sha256sum $(RELEASE).tar.gz

clean:
	rm -rf build

# A header that is gone: what included it is compiled again.
csrc/%.h: ;

.PHONY: all objects deps build spec demo contact-form test test-hosts check bench bench-instructions bench-build fuzz \
        install install-modules uninstall build-rock install-rock build-store-rock install-store-rock store \
        rock dist proof mutants coverage clean
-include $(OBJECTS:.o=.d)
