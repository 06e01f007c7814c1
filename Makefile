# make demo     see the service work: everything private, temporary, and gone at the end but the workbook
# make test     every test, against a private PostgreSQL
# make console-demo  the console on this machine, with a made-up tenant, until Ctrl-C; PORT=8080 ADMINISTRATORS=100000
# make console-test  the console in a real Chromium: what a person does, and what an attacker tries; CONSOLE_ARGUMENTS="--pictures FOLDER"
# make console-bench  a million accounts exported from the browser, beside the CLI
# make check-readers  an export of nasty data as six programs read it, compared with the database
# make traps    known traps for writers of workbooks, set for this one and for others
# make chaos    workers killed, databases restarted, disks filled, under load: what is lost or doubled; CHAOS_ARGUMENTS="--only TEXT"
# make chaos-upgrade  the release before on this schema, beside this one
# make fuzz     what takes bytes from outside under libFuzzer, for FUZZ_SECONDS each
# make fuzz-methods  a daemon asked what its own description allows, nearly allows and does not, for 600 s or FUZZ_SECONDS; FUZZ_ARGUMENTS="--seed N"
# make test-isal  the writer with Intel's ISA-L
# make check    format, warnings as errors, the arrows between modules
# make bench    speed and memory beside psql, other writers and pgbench; BENCH_ARGUMENTS='--rounds 5 exports' for a part
# make bench-protocol  honest callers beside hostile ones, files by descriptor and in parts, leaks, memory, starts beside claims
# make release  optimised programs in .build/release; with ISAL=yes large exports are faster, and libisal2 is needed
# make install  programs, units, man pages, completions and examples, below DESTDIR and PREFIX
# make deb      a package in dist/, with Swift's runtime in its programs
# make systemd-test  the package on a real systemd: installed, upgraded, killed, reloaded, measured

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
ADMINISTRATORS ?= 100000
FUZZ_SECONDS ?= 60
# What check-readers takes besides; CI runs it on the programs that the tests have built.
READERS_ARGUMENTS ?=
CHAOS_ARGUMENTS ?=
FUZZ_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
DEB_ARGUMENTS ?=
SYSTEMD_ARGUMENTS ?=
CONSOLE_ARGUMENTS ?=
PORT ?= 8080
# ISAL=yes makes programs that compress with Intel's ISA-L, which makes large exports faster. They need libisal2 where they run.
ISAL ?=
traits = $(if $(ISAL),--traits ISAL)
BIN_DIR ?= .build/release
export BIN_DIR

build_packages := libpq-dev libzstd-dev zlib1g-dev
run_packages := postgresql python3
test_packages := $(run_packages) python3-venv zstd netcat-openbsd

.PHONY: demo console-release console-demo console-requirements console-test console-bench test test-isal check check-readers traps chaos chaos-upgrade fuzz fuzz-methods bench bench-protocol release static install deb systemd-test build-requirements

build-requirements:
	@Scripts/install-requirements.sh $(build_packages)

release: build-requirements
	@$(if $(ISAL),Scripts/install-requirements.sh libisal-dev)
	swift build -c release $(traits) --product adminexportd
	swift build -c release $(traits) --product adminexport

demo: release
	@Scripts/install-requirements.sh $(run_packages)
	@Scripts/postgres.sh Scripts/demo.sh $(ADMINISTRATORS)

test: build-requirements
	@Scripts/install-requirements.sh $(test_packages)
	swift build --build-tests
	@Scripts/postgres.sh Scripts/test.sh
	@BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py --short

chaos: build-requirements
	@Scripts/install-requirements.sh $(test_packages)
	-@Scripts/install-requirements.sh pgbouncer
	swift build --product adminexportd
	swift build --product adminexport
	@BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py $(CHAOS_ARGUMENTS)

chaos-upgrade: build-requirements
	@Scripts/install-requirements.sh $(test_packages)
	swift build --product adminexportd
	@OLD_BIN_DIR=$$(Scripts/release-before.sh) BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py --only 'release before'

# The example console is a package of its own; nothing of the service needs it.
console-release: release
	swift build -c release --package-path Examples/Console --product adminexport-console

console-demo: console-release
	@Scripts/install-requirements.sh $(run_packages)
	@Scripts/postgres.sh Examples/Console/demo.sh $(ADMINISTRATORS) $(PORT)

console-requirements: build-requirements
	@Scripts/install-requirements.sh $(run_packages) python3-venv chromium chromium-driver
	@Scripts/python.sh selenium openpyxl lxml
	@Scripts/python.sh --no-deps axe-playwright-python

console-test: console-requirements
	swift build --product adminexportd
	swift build --package-path Examples/Console --build-tests
	swift test --package-path Examples/Console --skip-build
	@BIN_DIR=.build/debug Scripts/postgres.sh .venv/bin/python3 Examples/Console/Tests/Browser/run.py $(CONSOLE_ARGUMENTS)

console-bench: console-requirements console-release
	@CONSOLE_BIN_DIR=Examples/Console/.build/release Scripts/postgres.sh .venv/bin/python3 Examples/Console/Tests/Browser/bench.py

# The writer with ISA-L.
test-isal: build-requirements
	@Scripts/install-requirements.sh $(test_packages) libisal-dev
	swift build --build-tests --traits ISAL --scratch-path .build-isal
	swift test --skip-build --traits ISAL --scratch-path .build-isal --filter 'CompressionTests|StructureTests|WorkbookWriterTests'

check: build-requirements
	swift format lint --strict --parallel --recursive Sources Tests Package.swift Benchmarks/Package.swift Benchmarks/Sources \
	    Examples/Console/Package.swift Examples/Console/Sources Examples/Console/Tests
	swift build --build-tests
	swift test --skip-build --filter ArchitectureTests

check-readers: $(if $(filter .build/release,$(BIN_DIR)),release)
	@Scripts/install-requirements.sh $(test_packages)
	-@Scripts/install-requirements.sh libreoffice-calc
	@Scripts/python.sh openpyxl python-calamine pandas xlsx2csv pyreportjasper
	@Scripts/postgres.sh .venv/bin/python3 Scripts/check-readers.py $(READERS_ARGUMENTS)

traps: build-requirements
	swift build -c release --package-path Benchmarks --product rows2xlsx
	@Scripts/python.sh openpyxl XlsxWriter rustpy-xlsxwriter
	@.venv/bin/python3 Benchmarks/traps.py

fuzz: build-requirements
	@Scripts/fuzz.sh $(FUZZ_SECONDS)

fuzz-methods: build-requirements
	@Scripts/install-requirements.sh $(run_packages)
	swift build --product adminexportd
	@BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Fuzz/methods.py \
	    --seconds $(if $(filter file,$(origin FUZZ_SECONDS)),600,$(FUZZ_SECONDS)) $(FUZZ_ARGUMENTS)

# With programs that use ISA-L beside the others, where it is there, and the peers that can be had.
bench: build-requirements
	@Scripts/install-requirements.sh $(run_packages) gcc libc6-dev pkg-config python3-venv
	-@Scripts/install-requirements.sh libxlsxwriter-dev
	-@Scripts/install-requirements.sh libisal-dev
	@Scripts/python.sh openpyxl XlsxWriter rustpy-xlsxwriter
	swift build -c release --product adminexportd
	swift build -c release --product adminexport
	swift build -c release --package-path Benchmarks --product xlsxbench
	@if pkg-config --exists libisal; then \
	    swift build -c release --traits ISAL --scratch-path .build-isal --product adminexportd && \
	    swift build -c release --traits ISAL --package-path Benchmarks --scratch-path Benchmarks/.build-isal --product xlsxbench; fi
	@Scripts/postgres.sh Benchmarks/bench.py $(BENCH_ARGUMENTS)

bench-protocol: release
	@Scripts/install-requirements.sh $(run_packages)
	@Scripts/postgres.sh Benchmarks/protocol.py
	@Scripts/postgres.sh Benchmarks/starts.py
	@Scripts/postgres.sh Benchmarks/prune.py

# Programs that carry Swift's runtime, for a package.
static: build-requirements
	swift build -c release --static-swift-stdlib --scratch-path .build-static --product adminexportd
	swift build -c release --static-swift-stdlib --scratch-path .build-static --product adminexport

# Everything of an installation. What BIN_DIR holds is installed as it is.
install:
	@test -x $(BIN_DIR)/adminexportd -a -x $(BIN_DIR)/adminexport || { echo 'Run make release first.' >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/lib/sysusers.d \
	    $(DESTDIR)$(PREFIX)/lib/tmpfiles.d $(DESTDIR)$(PREFIX)/lib/systemd/catalog $(DESTDIR)$(SYSCONFDIR)/adminexport \
	    $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 man/man5 man/man8 doc/adminexport/examples \
	        bash-completion/completions zsh/vendor-completions fish/vendor_completions.d)
	install -m 755 $(BIN_DIR)/adminexport $(BIN_DIR)/adminexportd $(DESTDIR)$(PREFIX)/bin
	for unit in adminexport.socket adminexport.service adminexport.target adminexport-migrate.service adminexport-worker@.service; do \
	    sed 's|@bindir@|$(PREFIX)/bin|' systemd/$$unit > $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	    chmod 644 $(DESTDIR)$(UNITDIR)/$$unit; \
	done
	install -m 644 systemd/adminexport.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/adminexport.conf
	install -m 644 systemd/adminexport.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/adminexport.conf
	install -m 644 systemd/adminexport.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog
	test -e $(DESTDIR)$(SYSCONFDIR)/adminexport/config.yaml || \
	    install -m 644 Examples/config.yaml $(DESTDIR)$(SYSCONFDIR)/adminexport/config.yaml
	install -m 644 man/adminexport.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/adminexport.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 man/adminexportd.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 README.md CHANGES.md OPERATIONS.md ARCHITECTURE.md proto-docs/protocol.md proto-docs/openrpc.json \
	    $(DESTDIR)$(PREFIX)/share/doc/adminexport
	install -m 644 Examples/*.* $(DESTDIR)$(PREFIX)/share/doc/adminexport/examples
	for program in adminexport adminexportd; do \
	    completion() { $(BIN_DIR)/$$program --generate-completion-script $$1 | sed '1{/^#!/d}'; }; \
	    completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program && \
	    completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_$$program && \
	    completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$program.fish || exit 1; \
	done

# A package for Debian and Ubuntu, in dist/. DEB_ARGUMENTS="BIN_DIR=.build/debug" packs what is there.
deb: build-requirements
	@Scripts/install-requirements.sh debhelper dpkg-dev pkg-config
	@Scripts/build-deb.sh $(DEB_ARGUMENTS)

# The package on a real systemd, booted in a container over this machine's root; root is needed.
systemd-test: $(if $(filter .build/release,$(BIN_DIR)),static)
	@Scripts/install-requirements.sh systemd-container lintian mandoc bash-completion zsh fish prometheus $(run_packages) debhelper dpkg-dev pkg-config \
	    || { echo '1..0 # SKIP what the test needs cannot be installed'; exit 77; }
	@BIN_DIR=$(if $(filter .build/release,$(BIN_DIR)),.build-static/release,$(BIN_DIR)) Tests/Systemd/systemd_test.py $(SYSTEMD_ARGUMENTS)
