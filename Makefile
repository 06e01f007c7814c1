# make demo     see the service work: everything private, temporary, and gone at the end but the workbook
# make test     every test, against a private PostgreSQL
# make check-readers  an export of nasty data as six programs read it, compared with the database
# make traps    known traps for writers of workbooks, set for this one and for others
# make chaos    workers killed, databases restarted, disks filled, under load: what is lost or doubled; CHAOS_ARGUMENTS="--only TEXT"
# make chaos-upgrade  the release before on this schema, beside this one
# make fuzz     what takes bytes from outside under libFuzzer, for FUZZ_SECONDS each
# make test-isal  the writer with Intel's ISA-L
# make check    format, warnings as errors, the arrows between modules
# make bench    speed and memory beside psql, other writers and pgbench; BENCH_ARGUMENTS='--rounds 5 exports' for a part
# make bench-protocol  honest callers beside hostile ones, files by descriptor and in parts, leaks
# make release  optimised programs in .build/release; with ISAL=yes large exports are faster, and libisal2 is needed
# make install  the programs and units, below DESTDIR and PREFIX

SHELL := /bin/bash
PREFIX ?= /usr/local
DESTDIR ?=
ADMINISTRATORS ?= 100000
FUZZ_SECONDS ?= 60
# What check-readers takes besides; CI runs it on the programs that the tests have built.
READERS_ARGUMENTS ?=
CHAOS_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
# ISAL=yes makes programs that compress with Intel's ISA-L, which makes large exports faster. They need libisal2 where they run.
ISAL ?=
traits = $(if $(ISAL),--traits ISAL)
BIN_DIR ?= .build/release
export BIN_DIR

build_packages := libpq-dev libzstd-dev zlib1g-dev
run_packages := postgresql python3
test_packages := $(run_packages) python3-venv zstd netcat-openbsd

.PHONY: demo test test-isal check check-readers traps chaos chaos-upgrade fuzz bench bench-protocol release install build-requirements

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
	@BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py $(CHAOS_ARGUMENTS)

chaos-upgrade: build-requirements
	@Scripts/install-requirements.sh $(test_packages)
	swift build --product adminexportd
	@OLD_BIN_DIR=$$(Scripts/release-before.sh) BIN_DIR=.build/debug Scripts/postgres.sh python3 Tests/Chaos/chaos.py --only 'release before'

# The writer with ISA-L.
test-isal: build-requirements
	@Scripts/install-requirements.sh $(test_packages) libisal-dev
	swift build --build-tests --traits ISAL --scratch-path .build-isal
	swift test --skip-build --traits ISAL --scratch-path .build-isal --filter 'CompressionTests|StructureTests|WorkbookWriterTests'

check: build-requirements
	swift format lint --strict --parallel --recursive Sources Tests Package.swift
	swift build --build-tests
	swift test --skip-build --filter ArchitectureTests

check-readers: $(if $(filter .build/release,$(BIN_DIR)),release)
	@Scripts/install-requirements.sh $(test_packages)
	-@Scripts/install-requirements.sh libreoffice-calc
	@Scripts/python.sh openpyxl python-calamine pandas xlsx2csv pyreportjasper
	@Scripts/postgres.sh .venv/bin/python3 Scripts/check-readers.py $(READERS_ARGUMENTS)

traps: build-requirements
	swift build -c release --product rows2xlsx
	@Scripts/python.sh openpyxl XlsxWriter rustpy-xlsxwriter
	@.venv/bin/python3 Benchmarks/traps.py

fuzz: build-requirements
	@Scripts/fuzz.sh $(FUZZ_SECONDS)

# With programs that use ISA-L beside the others, where it is there, and the peers that can be had.
bench: build-requirements
	@Scripts/install-requirements.sh $(run_packages) gcc libc6-dev pkg-config python3-venv
	-@Scripts/install-requirements.sh libxlsxwriter-dev
	-@Scripts/install-requirements.sh libisal-dev
	@Scripts/python.sh openpyxl XlsxWriter rustpy-xlsxwriter
	@for product in adminexportd adminexport xlsxbench; do swift build -c release --product $$product || exit 1; done
	@if pkg-config --exists libisal; then for product in adminexportd xlsxbench; do \
	    swift build -c release --traits ISAL --scratch-path .build-isal --product $$product || exit 1; done; fi
	@Scripts/postgres.sh Benchmarks/bench.py $(BENCH_ARGUMENTS)

bench-protocol: release
	@Scripts/install-requirements.sh $(run_packages)
	@Scripts/postgres.sh Benchmarks/protocol.py

install:
	@test -x .build/release/adminexportd -a -x .build/release/adminexport || { echo 'Run make release first.' >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 .build/release/adminexport .build/release/adminexportd $(DESTDIR)$(PREFIX)/bin
	for unit in adminexport.socket adminexport.service; do \
	    sed 's|@bindir@|$(PREFIX)/bin|' systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; \
	done
