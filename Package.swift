// swift-tools-version: 6.2

// One section per target, followed by its tests; sections in alphabetical order; dependencies on separate lines.
// Which target may depend on which is ARCHITECTURE.md's table, and a test holds this file to it.

import PackageDescription

var targets: [Target] = []

// MARK: - Accounts

targets.append(
    .target(
        name: "Accounts",
        dependencies: [
            "Directory",
            "ExportAPI",
            "Postgres",
        ]
    )
)
targets.append(
    .testTarget(
        name: "AccountsTests",
        dependencies: [
            "Accounts",
            "ExportAPI",
            "TestSupport",
        ]
    )
)

// MARK: - adminexport

targets.append(
    .executableTarget(
        name: "adminexport",
        dependencies: [
            "Commands",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]
    )
)

// MARK: - adminexportd

targets.append(
    .executableTarget(
        name: "adminexportd",
        dependencies: [
            "Daemon",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]
    )
)

// MARK: - Architecture (tests only)

targets.append(
    .testTarget(
        name: "ArchitectureTests"
    )
)

// MARK: - Archive

targets.append(
    .target(
        name: "Archive",
        dependencies: [
            "CZstd",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "SystemPackage", package: "swift-system"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "ArchiveTests",
        dependencies: [
            "Archive",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "SystemPackage", package: "swift-system"),
        ]
    )
)

// MARK: - C libraries

targets.append(
    .systemLibrary(
        name: "CISAL",
        pkgConfig: "libisal",
        providers: [.apt(["libisal-dev"])]
    )
)
targets.append(
    .systemLibrary(
        name: "CLibPQ",
        pkgConfig: "libpq",
        providers: [.apt(["libpq-dev"])]
    )
)
targets.append(
    .target(
        name: "CSockets"
    )
)
targets.append(
    .systemLibrary(
        name: "CXattr"
    )
)
targets.append(
    .systemLibrary(
        name: "CZlib",
        pkgConfig: "zlib",
        providers: [.apt(["zlib1g-dev"])]
    )
)
targets.append(
    .systemLibrary(
        name: "CZstd",
        pkgConfig: "libzstd",
        providers: [.apt(["libzstd-dev"])]
    )
)

// MARK: - Client

targets.append(
    .target(
        name: "Client",
        dependencies: [
            "ExportAPI",
            "JSONRPC",
            "Sockets",
        ]
    )
)

targets.append(
    .testTarget(
        name: "ClientTests",
        dependencies: [
            "Client",
            "ExportAPI",
        ]
    )
)

// MARK: - Commands

targets.append(
    .target(
        name: "Commands",
        dependencies: [
            "CXattr",
            "Client",
            "Terminal",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Crypto", package: "swift-crypto"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "CommandsTests",
        dependencies: [
            "Client",
            "Commands",
            "ExportAPI",
            "Terminal",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Crypto", package: "swift-crypto"),
        ]
    )
)

// MARK: - Daemon

targets.append(
    .target(
        name: "Daemon",
        dependencies: [
            "Archive",
            "Directory",
            "ExportAPI",
            "Exports",
            "JSONRPC",
            "Jobs",
            "Postgres",
            "Sockets",
            "Systemd",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Configuration", package: "swift-configuration"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "SystemPackage", package: "swift-system"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Yams", package: "Yams"),
        ],
        resources: [.embedInCode("DemoData/demo-data.sql")]
    )
)
targets.append(
    .testTarget(
        name: "DaemonTests",
        dependencies: [
            "Client",
            "Daemon",
            "Directory",
            "ExportAPI",
            "Postgres",
            "Systemd",
            "TestSupport",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ]
    )
)

// MARK: - Directory

targets.append(
    .target(
        name: "Directory",
        dependencies: [
            "Postgres",
            .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
            .product(name: "Crypto", package: "swift-crypto"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "DirectoryTests",
        dependencies: [
            "Directory",
            "Postgres",
            "TestSupport",
        ]
    )
)

// MARK: - ExportAPI

targets.append(
    .target(
        name: "ExportAPI"
    )
)
targets.append(
    .testTarget(
        name: "ExportAPITests",
        dependencies: [
            "ExportAPI",
            "JSONRPC",
            "TestSupport",
        ]
    )
)

// MARK: - Exports

targets.append(
    .target(
        name: "Exports",
        dependencies: [
            "Archive",
            "Directory",
            "Jobs",
            "Postgres",
            "XLSX",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "SystemPackage", package: "swift-system"),
        ],
        resources: [
            .embedInCode("Schema/0001-jobs.sql"),
            .embedInCode("Schema/0002-queue.sql"),
            .embedInCode("Schema/0003-counters.sql"),
            .embedInCode("Schema/0004-audit.sql"),
            .embedInCode("Schema/directory-grants.sql"),
            .embedInCode("Schema/directory.sql"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "ExportsTests",
        dependencies: [
            "Archive",
            "Directory",
            "Exports",
            "Jobs",
            "Postgres",
            "TestSupport",
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "SystemPackage", package: "swift-system"),
        ]
    )
)

// MARK: - JSONRPC

targets.append(
    .target(
        name: "JSONRPC"
    )
)
targets.append(
    .testTarget(
        name: "JSONRPCTests",
        dependencies: [
            "JSONRPC"
        ]
    )
)

// MARK: - Jobs

targets.append(
    .target(
        name: "Jobs",
        dependencies: [
            "Postgres",
            .product(name: "Logging", package: "swift-log"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "JobsTests",
        dependencies: [
            "Jobs",
            "Postgres",
            "TestSupport",
            .product(name: "Logging", package: "swift-log"),
            .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        ]
    )
)

// MARK: - Postgres

targets.append(
    .target(
        name: "Postgres",
        dependencies: [
            "CLibPQ",
            .product(name: "Logging", package: "swift-log"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "PostgresTests",
        dependencies: [
            "Postgres",
            "TestSupport",
        ]
    )
)

// MARK: - rows2xlsx (for scripts that try the writer)

targets.append(
    .executableTarget(
        name: "rows2xlsx",
        dependencies: [
            "XLSX",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ]
    )
)

// MARK: - Sockets

targets.append(
    .target(
        name: "Sockets",
        dependencies: [
            "CSockets",
            .product(name: "SystemPackage", package: "swift-system"),
        ]
    )
)
targets.append(
    .testTarget(
        name: "SocketsTests",
        dependencies: [
            "Sockets"
        ]
    )
)

// MARK: - Systemd

targets.append(
    .target(
        name: "Systemd",
        dependencies: [
            "Sockets"
        ]
    )
)
targets.append(
    .testTarget(
        name: "SystemdTests",
        dependencies: [
            "Systemd",
            "TestSupport",
        ]
    )
)

// MARK: - Terminal

targets.append(
    .target(
        name: "Terminal"
    )
)
targets.append(
    .testTarget(
        name: "TerminalTests",
        dependencies: [
            "Terminal"
        ]
    )
)

// MARK: - TestSupport (for the tests of several targets)

targets.append(
    .target(
        name: "TestSupport",
        dependencies: [
            "ExportAPI",
            "Exports",
            "Postgres",
        ],
        path: "Tests/TestSupport"
    )
)

// MARK: - XLSX

targets.append(
    .target(
        name: "XLSX",
        dependencies: [
            "CZlib",
            .target(name: "CISAL", condition: .when(traits: ["ISAL"])),
        ]
    )
)
targets.append(
    .testTarget(
        name: "XLSXTests",
        dependencies: [
            "XLSX",
            "XLSXTestSupport",
        ],
        exclude: ["Readers/read.py"]
    )
)
targets.append(
    .target(
        name: "XLSXTestSupport",
        dependencies: [
            "CZlib"
        ],
        path: "Tests/XLSXTestSupport"
    )
)

// MARK: - xlsxbench (for `make bench`)

targets.append(
    .executableTarget(
        name: "xlsxbench",
        dependencies: [
            "XLSX",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        path: "Benchmarks/xlsxbench"
    )
)

// MARK: - Fuzz (for libFuzzer, which brings the main function; Scripts/fuzz.sh builds it)

if Context.environment["ADMINEXPORT_FUZZ"] != nil {
    targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Archive",
                "Client",
                "Daemon",
                "ExportAPI",
                "JSONRPC",
                "Sockets",
                "XLSX",
                "XLSXTestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/Fuzz",
            exclude: ["json.dict"],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]
        )
    )
}

// MARK: - Settings of every target

for target in targets where ![.system, .plugin].contains(target.type) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .treatAllWarnings(as: .error),
        ]
}

let package = Package(
    name: "adminexport",
    products: [
        .executable(name: "adminexport", targets: ["adminexport"]),
        .executable(name: "adminexportd", targets: ["adminexportd"]),
        .library(name: "Accounts", targets: ["Accounts"]),
        .library(name: "Client", targets: ["Client"]),
        .library(name: "XLSX", targets: ["XLSX"]),
    ],
    traits: [
        .trait(name: "ISAL", description: "Compress workbooks with Intel's ISA-L (libisal-dev): a quarter of zlib's time.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: targets,
    swiftLanguageModes: [.v6]
)
