// swift-tools-version: 6.2

// Programs that measure the workbook writer or give its workbooks to other programs. They are not installed.

import PackageDescription

let package = Package(
    name: "adminexport-benchmarks",
    dependencies: [
        .package(name: "adminexport", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: ["rows2xlsx", "xlsxbench"].map { name in
        .executableTarget(
            name: name,
            dependencies: [
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "XLSX", package: "adminexport"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .treatAllWarnings(as: .error),
            ]
        )
    },
    swiftLanguageModes: [.v6]
)
