# The targets of this project. `make help` prints this list.
#
# make demo             run the service with a private PostgreSQL and generated data, and keep only the workbook; ADMINISTRATORS=100000
# make console-demo     run the example console in the same way until Ctrl-C; PORT=8080 ADMINISTRATORS=100000
#
# make test             run all tests and short fault scenarios against a private PostgreSQL
# make check            check the format, that the compiler gives no warning, and which modules import which
# make format           format all Swift code as `make check` demands
# make check-readers    export difficult data, and compare what six other programs read with the database;
#                       READERS_ARGUMENTS='--administrators 1050000' for the largest workbook
# make check-receipts   make a workbook with its receipt, verify them with securesystemslib and OpenSSL, and flip each bit of the receipt
# make traps            give inputs that have broken writers to this workbook writer and to others, and check their files
# make chaos            kill workers, restart databases and fill disks under load, and count what is lost or duplicated;
#                       CHAOS_ARGUMENTS='--only TEXT' for some scenarios
# make chaos-upgrade    run the programs of the previous release and of this one with the same database
# make fuzz             fuzz everything that reads bytes from outside, with libFuzzer and the address sanitizer; FUZZ_SECONDS=60 for each target
# make fuzz-methods     send a daemon requests that its own description allows, nearly allows and does not allow; FUZZ_SECONDS=600,
#                       FUZZ_ARGUMENTS='--seed SEED --only CASE' to repeat a failure
# make console-test     test the example console in Chromium, including attacks; CONSOLE_ARGUMENTS=console_test.Keyboard for some tests,
#                       CONSOLE_ARGUMENTS='--pictures FOLDER' for pictures
# make systemd-test     install, upgrade, kill and reload the package under systemd in a container (root);
#                       SYSTEMD_ARGUMENTS='--only upgrade' for some tests, BIN_DIR=.build/debug for programs that are built already
#
# make bench            compare speed and memory with psql, other programs and writers, and pgbench; BENCH_ARGUMENTS='small get' for
#                       some parts, BENCH_ARGUMENTS=before BEFORE_DIR=FOLDER for another version's programs in FOLDER
# make bench-page       write the figures of `make bench` into BENCHMARKS.md, and draw its charts
# make bench-protocol   measure normal callers while hostile ones run, downloads, leaks, memory, and starts while workers claim exports;
#                       BEFORE_DIR=FOLDER to compare with the programs in FOLDER
# make console-bench    measure an export of a million accounts in a browser, and compare it with the command line
#
# make release          build optimized programs in .build/release
# make static           build programs that contain Swift's runtime, in .build-static/release
# make install          install the programs, units, manual pages, completions and examples below DESTDIR and PREFIX
# make deb              build a Debian package in dist/, with programs that contain Swift's runtime

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
ADMINISTRATORS ?= 100000
FUZZ_SECONDS ?= 60
# More arguments of the programs that the targets run.
READERS_ARGUMENTS ?=
CHAOS_ARGUMENTS ?=
FUZZ_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
DEB_ARGUMENTS ?=
SYSTEMD_ARGUMENTS ?=
CONSOLE_ARGUMENTS ?=
PORT ?= 8080
BIN_DIR ?= .build/release
export BIN_DIR

build_packages := libpq-dev libzstd-dev zlib1g-dev
run_packages := postgresql python3
test_packages := $(run_packages) python3-venv zstd netcat-openbsd

swift_code := Sources Tests Package.swift Benchmarks/Package.swift Benchmarks/Sources Examples/Console/Package.swift \
    Examples/Console/Sources Examples/Console/Tests

.PHONY: format help demo console-release console-demo console-requirements console-test console-bench test check check-readers check-receipts traps chaos chaos-upgrade fuzz fuzz-methods bench bench-page bench-protocol release static install deb systemd-test build-requirements

help:
	@sed -n '/^$$/q; s/^# \{0,1\}//p' Makefile

build-requirements:
	@Scripts/install-requirements.sh $(build_packages)

release: build-requirements
	swift build -c release --product adminexportd
	swift build -c release --product adminexport

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
	@OLD_BIN_DIR=$$(Scripts/release-before.sh) BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py --only 'previous release'

# The example console is a separate package. The service does not need it.
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

format:
	swift format --in-place --parallel --recursive $(swift_code)

check: build-requirements
	swift format lint --strict --parallel --recursive $(swift_code)
	swift build --build-tests
	swift test --skip-build --filter ArchitectureTests

check-readers: $(if $(filter .build/release,$(BIN_DIR)),release)
	@Scripts/install-requirements.sh $(test_packages)
	-@Scripts/install-requirements.sh libreoffice-calc
	@Scripts/python.sh openpyxl python-calamine pandas xlsx2csv pyreportjasper
	@Scripts/postgres.sh .venv/bin/python3 Scripts/check-readers.py $(READERS_ARGUMENTS)

check-receipts: $(if $(filter .build/release,$(BIN_DIR)),release)
	@Scripts/install-requirements.sh $(test_packages) openssl
	@Scripts/python.sh securesystemslib cryptography
	@Scripts/postgres.sh .venv/bin/python3 Scripts/check-receipts.py

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

# Compares with the peers that can be installed.
bench: build-requirements
	@Scripts/install-requirements.sh $(run_packages) gcc libc6-dev pkg-config python3-venv
	-@Scripts/install-requirements.sh libxlsxwriter-dev
	@Scripts/python.sh openpyxl XlsxWriter rustpy-xlsxwriter polars pyarrow adbc-driver-postgresql rapidxlsx psycopg-binary psycopg \
	    pyfastexcel duckdb duckdb-extension-postgres-scanner duckdb-extension-excel python-calamine
	swift build -c release --product adminexportd
	swift build -c release --product adminexport
	swift build -c release --package-path Benchmarks --product xlsxbench
	@Scripts/postgres.sh Benchmarks/bench.py $(BENCH_ARGUMENTS)

bench-page:
	@Benchmarks/page.py

bench-protocol: release
	@Scripts/install-requirements.sh $(run_packages)
	@Scripts/postgres.sh Benchmarks/protocol.py
	@Scripts/postgres.sh Benchmarks/starts.py
	@Scripts/postgres.sh Benchmarks/prune.py

static: build-requirements
	swift build -c release --static-swift-stdlib --scratch-path .build-static --product adminexportd
	swift build -c release --static-swift-stdlib --scratch-path .build-static --product adminexport

# Installs the programs in BIN_DIR without building them.
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
	install -m 644 README.md CHANGES.md OPERATIONS.md EVIDENCE.md ARCHITECTURE.md BENCHMARKS.md proto-docs/protocol.md proto-docs/openrpc.json \
	    $(DESTDIR)$(PREFIX)/share/doc/adminexport
	install -m 644 Examples/*.* $(DESTDIR)$(PREFIX)/share/doc/adminexport/examples
	for program in adminexport adminexportd; do \
	    completion() { $(BIN_DIR)/$$program --generate-completion-script $$1 | sed '1{/^#!/d}'; }; \
	    completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program && \
	    completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_$$program && \
	    completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$program.fish || exit 1; \
	done

# DEB_ARGUMENTS="BIN_DIR=.build/debug" packages programs that are built already.
deb: build-requirements
	@Scripts/install-requirements.sh debhelper dpkg-dev pkg-config
	@Scripts/build-deb.sh $(DEB_ARGUMENTS)

# Boots systemd in a container on this machine's root file system.
systemd-test: $(if $(filter .build/release,$(BIN_DIR)),static)
	@Scripts/install-requirements.sh systemd-container lintian mandoc bash-completion zsh fish prometheus $(run_packages) debhelper dpkg-dev pkg-config \
	    || { echo '1..0 # SKIP cannot install the packages that the test needs'; exit 77; }
	@BIN_DIR=$(if $(filter .build/release,$(BIN_DIR)),.build-static/release,$(BIN_DIR)) Tests/Systemd/systemd_test.py $(SYSTEMD_ARGUMENTS)
