# Switchyard. `make help` says what there is.

SHELL := /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=

BUN := node_modules/.bin/bun
SOURCES := $(shell find packages/*/src packages/*/package.json -type f ! -name '*.test.ts' ! -path '*/web/src/page/*' 2>/dev/null) package-lock.json
PAGE_SOURCES := $(shell find packages/web/src packages/web/build.ts -type f ! -name '*.test.ts' 2>/dev/null) packages/web/package.json package-lock.json
PAGE := packages/web/dist/page.pack

BINDIR = $(PREFIX)/bin
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
DOCDIR = $(PREFIX)/share/doc/switchyard
SHAREDIR = $(PREFIX)/share/switchyard
# What the executable also is when it is called so.
CLOONIX = cloonix_net cloonix_cli cloonix_ovs cloonix_ssh cloonix_scp cloonix_wsk cloonix_shk
# Where Wireshark looks for capture programs; empty where there is none.
EXTCAPDIR ?= $(firstword $(wildcard /usr/lib/*/wireshark/extcap /usr/lib64/wireshark/extcap /usr/lib/wireshark/extcap))

.PHONY: help demo demo-down guest frr build test test-unit test-system test-kernel check types lint format docs bench screenshots install uninstall clean

help:
	@echo 'make demo          install what is missing, build, bring up examples/hello.yard.yaml and check it'
	@echo 'make demo-down     take the demo away'
	@echo 'make guest         make the kernel and the initial RAM disk that examples/machines.yard.yaml boots'
	@echo 'make frr           make the routers that examples/ring.yard.yaml and examples/frrspider.yard.yaml start'
	@echo 'make build         build dist/yard'
	@echo 'make install       put yard, ec, completion, the systemd unit, the group yard and Wireshark's way in on this system (PREFIX, DESTDIR, EXTCAPDIR)'
	@echo 'make uninstall     take them away again'
	@echo 'make test          install what the tests need, then types, lint, format and all tests                     (RECHECK=yes: what fails once more)'
	@echo 'make test-unit     the tests that need neither root nor a switch          (ROOM=name, FILE=part of a path)'
	@echo 'make test-system   the tests with real switches and engines               (ROOM=name, FILE=part of a path)'
	@echo 'make test-kernel   tests of networks in machines under the kernel of Debian (FILE=part of a path: those instead)'
	@echo 'make check         types, lint and format'
	@echo 'make format        put the sources into format'
	@echo 'make docs          generate the generated pages of docs/ and schemas/'
	@echo 'make bench         measure, and write bench/results.json                  (CASE=name)'
	@echo 'make screenshots   take the pictures of the page in docs/images'
	@echo 'make clean         remove what was built'

demo:
	@sh scripts/prepare.sh demo
	@$(MAKE) --no-print-directory dist/yard
	@sh scripts/demo.sh

demo-down:
	@sh scripts/demo.sh down

guest:
	@sh scripts/prepare.sh guest
	@$(BUN) scripts/guest.ts examples/guest

frr:
	@sh scripts/prepare.sh frr
	@$(BUN) scripts/frr.ts examples/frr

build:
	@sh scripts/prepare.sh build
	@$(MAKE) --no-print-directory dist/yard

# --bytecode: what is parsed at build time need not be at every start, a saving of 60 ms of a start's 80.
# The two --no-compile-autoload options: without them an executable run by root would run code that it finds in the
# caller's folder (a bunfig.toml with a preload) and take its environment from a .env there.
dist/yard: $(SOURCES) $(PAGE)
	@mkdir -p dist
	@$(BUN) build packages/cli/src/main.ts --compile --bytecode --splitting --format=esm \
	  --minify-syntax --minify-whitespace --keep-names \
	  --no-compile-autoload-bunfig --no-compile-autoload-dotenv --no-compile-autoload-tsconfig \
	  --no-compile-autoload-package-json --outfile dist/yard.new >dist/build.log 2>&1 || { cat dist/build.log; exit 1; }
	@mv dist/yard.new $@
	@echo 'built dist/yard'

# The page, as one file that the executable carries.
$(PAGE): $(PAGE_SOURCES)
	@$(BUN) packages/web/build.ts

test:
	@sh scripts/prepare.sh test
	@$(BUN) scripts/test.ts all $(if $(RECHECK),--recheck) $(if $(ROOM),--room $(ROOM)) $(FILE)

test-unit:
	@sh scripts/prepare.sh build
	@$(BUN) scripts/test.ts unit $(if $(ROOM),--room $(ROOM)) $(FILE)

test-system:
	@sh scripts/prepare.sh test
	@$(BUN) scripts/test.ts system $(if $(ROOM),--room $(ROOM)) $(FILE)

# Under the kernel of Debian, whose package is unpacked, not installed: see scripts/kernel/lane.ts.
test-kernel:
	@sh scripts/prepare.sh test
	@$(BUN) scripts/test.ts kernel $(if $(RECHECK),--recheck) $(FILE)

check:
	@sh scripts/prepare.sh build
	@$(BUN) scripts/test.ts check

types:
	@node_modules/.bin/tsc -p .
	@node_modules/.bin/tsc -p packages/web

lint:
	@node_modules/.bin/biome check .

format:
	@node_modules/.bin/biome check --write .

docs:
	@$(BUN) scripts/docs.ts
	@$(BUN) packages/yard/src/model/publish.ts

bench:
	@sh scripts/prepare.sh bench
	@$(MAKE) --no-print-directory dist/yard
	@$(BUN) bench/bench.ts $(CASE)

screenshots:
	@sh scripts/prepare.sh test
	@$(MAKE) --no-print-directory dist/yard
	@$(BUN) packages/web/screenshots.ts docs/images

# What is installed is what was built: `make build` first, as yourself; then `sudo make install`.
install:
	@test -x dist/yard || $(MAKE) --no-print-directory build
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSUSERSDIR)' '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(ZSHDIR)' '$(DESTDIR)$(FISHDIR)' '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(SHAREDIR)'
	install -m 755 dist/yard '$(DESTDIR)$(BINDIR)/yard'
	for name in ec $(CLOONIX); do ln -sf yard "$(DESTDIR)$(BINDIR)/$$name"; done
	for unit in switchyard@ switchyard-docker; do sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@DOCDIR@|$(DOCDIR)|g' packaging/$$unit.service >"$(DESTDIR)$(UNITDIR)/$$unit.service"; done
	install -m 644 packaging/switchyard.sysusers '$(DESTDIR)$(SYSUSERSDIR)/switchyard.conf'
	dist/yard completion bash >'$(DESTDIR)$(BASHDIR)/yard'
	dist/yard completion zsh >'$(DESTDIR)$(ZSHDIR)/_yard'
	dist/yard completion fish >'$(DESTDIR)$(FISHDIR)/yard.fish'
	install -m 644 README.md LICENSE docs/*.md '$(DESTDIR)$(DOCDIR)'
	install -m 644 schemas/lab.schema.json '$(DESTDIR)$(SHAREDIR)'
	@if [ -n '$(EXTCAPDIR)' ]; then { install -d '$(DESTDIR)$(EXTCAPDIR)' && ln -sf '$(BINDIR)/yard' '$(DESTDIR)$(EXTCAPDIR)/yard-extcap'; } 2>/dev/null \
	  || echo "Wireshark does not get its way in, as $(EXTCAPDIR) may not be written to."; fi
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then getent group yard >/dev/null || groupadd --system yard; fi
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then getent passwd switchyard-vm >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin switchyard-vm; fi
	@echo "Members of the group yard may use running yards; a member is as good as root."
	@echo "A yard that shall come back after a reboot: systemctl enable --now switchyard@main"

uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/yard' '$(DESTDIR)$(UNITDIR)/switchyard@.service' '$(DESTDIR)$(UNITDIR)/switchyard-docker.service' '$(DESTDIR)$(SYSUSERSDIR)/switchyard.conf'
	for name in ec $(CLOONIX); do rm -f "$(DESTDIR)$(BINDIR)/$$name"; done
	rm -f '$(DESTDIR)$(BASHDIR)/yard' '$(DESTDIR)$(ZSHDIR)/_yard' '$(DESTDIR)$(FISHDIR)/yard.fish'
	@if [ -n '$(EXTCAPDIR)' ]; then rm -f '$(DESTDIR)$(EXTCAPDIR)/yard-extcap'; fi
	rm -rf '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(SHAREDIR)'
	@echo "The group yard, the user switchyard-vm and /var/lib/switchyard are left as they are."

clean:
	rm -rf dist packages/web/dist
