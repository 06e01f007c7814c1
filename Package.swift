// swift-tools-version: 6.2

// A target stands before its tests, in alphabetical order. ARCHITECTURE.md's table says which target may depend on which; a test holds
// this file to it.

import PackageDescription

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let targets: [Target] = [
    .target(name: "Accounts", dependencies: ["AdminExportAPI", "Directory", "Postgres"]),
    .testTarget(name: "AccountsTests", dependencies: ["Accounts", "AdminExportAPI", "TestSupport"]),

    .executableTarget(name: "adminexport", dependencies: ["CommandLine", argumentParser]),
    .executableTarget(name: "adminexportd", dependencies: ["Daemon", argumentParser]),

    .target(name: "AdminExportAPI"),
    .testTarget(name: "AdminExportAPITests", dependencies: ["AdminExportAPI", "JSONRPC", "TestSupport"]),

    .target(name: "AdminExportClient", dependencies: ["AdminExportAPI", "JSONRPC", "Sockets"]),
    .testTarget(name: "AdminExportClientTests", dependencies: ["AdminExportAPI", "AdminExportClient", "Sockets"]),

    .testTarget(name: "ArchitectureTests"),

    .target(name: "Archive", dependencies: ["CZstd", crypto, systemPackage]),
    .testTarget(name: "ArchiveTests", dependencies: ["Archive", crypto, systemPackage]),

    .target(name: "CCRC32"),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .target(name: "CSockets"),
    .systemLibrary(name: "CXattr"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

    .target(
        name: "CommandLine",
        dependencies: ["AdminExportAPI", "AdminExportClient", "CXattr", "Evidence", "XLSX", argumentParser, crypto]
    ),
    .testTarget(
        name: "CommandLineTests",
        dependencies: ["AdminExportAPI", "CommandLine", argumentParser, crypto]
    ),

    .target(
        name: "Daemon",
        dependencies: [
            "AdminExportAPI", "Archive", "Directory", "Evidence", "Exports", "JSONRPC", "Postgres", "Sockets", "Systemd",
            argumentParser, logging, nioCore, nioPosix, serviceLifecycle, systemPackage,
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            .product(name: "Yams", package: "Yams"),
        ],
        resources: [.embedInCode("DemoData/demo-data.sql")]
    ),
    .testTarget(
        name: "DaemonTests",
        dependencies: [
            "AdminExportAPI", "AdminExportClient", "Daemon", "Directory", "Evidence", "Exports", "JSONRPC", "Postgres",
            "Sockets", "Systemd", "TestSupport", logging,
            nioCore, nioPosix,
        ]
    ),

    .target(
        name: "Directory",
        dependencies: ["Postgres", crypto, .product(name: "AsyncAlgorithms", package: "swift-async-algorithms")]
    ),
    .testTarget(name: "DirectoryTests", dependencies: ["Directory", "Postgres", "TestSupport"]),

    .target(name: "Evidence", dependencies: ["JSONRPC", crypto, cryptoExtras]),
    .testTarget(name: "EvidenceTests", dependencies: ["Evidence"]),

    .target(
        name: "Exports",
        dependencies: [
            "Archive", "Directory", "Evidence", "Postgres", "XLSX", crypto, logging, serviceLifecycle, systemPackage,
        ],
        resources: [
            .embedInCode("Queue/Schema/0001-jobs.sql"),
            .embedInCode("Queue/Schema/0002-queue.sql"),
            .embedInCode("Queue/Schema/0003-counters.sql"),
            .embedInCode("Queue/Schema/0004-audit.sql"),
            .embedInCode("Queue/Schema/0005-turns.sql"),
            .embedInCode("Queue/Schema/0006-columns.sql"),
            .embedInCode("Queue/Schema/0007-evidence.sql"),
            .embedInCode("Queue/Schema/directory-grants.sql"),
            .embedInCode("Queue/Schema/directory.sql"),
        ]
    ),
    .testTarget(
        name: "ExportsTests",
        dependencies: [
            "Archive", "Directory", "Exports", "Postgres", "TestSupport", crypto, logging, systemPackage,
            .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        ]
    ),

    .target(name: "JSONRPC"),
    .testTarget(name: "JSONRPCTests", dependencies: ["JSONRPC"]),

    .target(name: "Postgres", dependencies: ["CLibPQ", logging]),
    .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"]),

    .target(name: "Sockets", dependencies: ["CSockets", systemPackage]),
    .testTarget(name: "SocketsTests", dependencies: ["Sockets"]),

    .target(name: "Systemd", dependencies: ["Sockets"]),
    .testTarget(name: "SystemdTests", dependencies: ["Systemd", "TestSupport"]),

    .target(name: "TestSupport", dependencies: ["AdminExportAPI", "Exports", "Postgres"], path: "Tests/TestSupport"),

    .target(name: "XLSX", dependencies: ["CCRC32", "CZlib"]),
    .testTarget(
        name: "XLSXTests", dependencies: ["XLSX", "XLSXTestSupport"], exclude: ["Readers/inflate.py", "Readers/read.py"]),
    .target(name: "XLSXTestSupport", dependencies: ["CZlib"], path: "Tests/XLSXTestSupport"),
]

/// libFuzzer brings the main function; Scripts/fuzz.sh builds it.
let fuzzTargets: [Target] = [
    .executableTarget(
        name: "fuzz",
        dependencies: [
            "AdminExportAPI", "AdminExportClient", "Archive", "Daemon", "JSONRPC", "Sockets", "XLSX", "XLSXTestSupport",
            systemPackage,
        ],
        path: "Tests/Fuzz",
        exclude: ["json.dict"],
        swiftSettings: [.unsafeFlags(["-parse-as-library"])]
    )
]

let package = Package(
    name: "adminexport",
    products: [
        .executable(name: "adminexport", targets: ["adminexport"]),
        .executable(name: "adminexportd", targets: ["adminexportd"]),
        .library(name: "Accounts", targets: ["Accounts"]),
        .library(name: "AdminExportAPI", targets: ["AdminExportAPI"]),
        .library(name: "AdminExportClient", targets: ["AdminExportClient"]),
        .library(name: "XLSX", targets: ["XLSX"]),
    ],
    traits: [
        .trait(
            name: "ISAL",
            description:
                "Has no effect: the workbook writer has its own compressor. Packages that set this trait can still be built."
        )
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: targets + (Context.environment["ADMINEXPORT_FUZZ"] == nil ? [] : fuzzTargets),
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .treatAllWarnings(as: .error),
        ]
    // Every unsafe construct in Sources is marked `unsafe`, and a SAFETY comment says why it is sound.
    if target.path == nil, target.type != .test { target.swiftSettings?.append(.strictMemorySafety()) }
}
