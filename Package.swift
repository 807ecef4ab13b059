// swift-tools-version: 6.3
import PackageDescription

let warm: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// Tests: which C module owns sockaddr depends on the order of includes, and only MemberImportVisibility minds.
let tests: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The layers that read what peers send: every unsafe operation is marked.
let strict = warm + [.strictMemorySafety()]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
/// TLS links BoringSSL, most of a cold build: `swift build --disable-default-traits` does without.
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["TLS"]))
/// What TLS tells the handlers behind it.
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio", condition: .when(traits: ["TLS"]))
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "gbgate",
    products: [
        .executable(name: "gbgate", targets: ["gbgate"])
    ],
    traits: [
        .default(enabledTraits: ["TLS"]),
        .trait(name: "TLS", description: "RTMPS, HTTPS and WSS, on either side"),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1", traits: []),
    ],
    targets: [
        .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .systemLibrary(name: "CZLib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CSockets"),
        // The web console's files, by #embed.
        .target(name: "CWebAssets", exclude: ["web"]),

        // Sans-IO layers: no socket, event loop, clock or task.
        .target(
            name: "Wire",
            dependencies: [nioCore, .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(name: "SIP", dependencies: ["Wire", nioCore], swiftSettings: strict),
        .target(name: "GB28181", dependencies: ["SIP", "Wire", "CLibXML2", nioCore], swiftSettings: strict),
        .target(name: "Media", dependencies: ["Wire", nioCore], swiftSettings: strict),
        .target(name: "Streaming", dependencies: ["Wire", "Media", nioCore], swiftSettings: strict),
        .target(
            name: "Recording",
            dependencies: ["Wire", "Media", nioCore, nioPosix, .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: warm
        ),

        .target(name: "Hub", dependencies: ["Media", "Streaming", "CSockets", nioCore], swiftSettings: warm),
        .target(
            name: "Transport",
            dependencies: [
                "Wire", "SIP", "Media", "Streaming", "Hub", "CSockets", nioCore, nioPosix, nioHTTP1, nioSSL, nioTLS,
            ],
            swiftSettings: warm
        ),
        .target(
            name: "Gateway",
            dependencies: [
                "Wire", "SIP", "GB28181", "Media", "Streaming", "Hub", "Transport", "Recording", nioCore, nioPosix,
                logging,
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: warm
        ),
        .target(
            name: "GatewayAPI",
            dependencies: [
                "CWebAssets", "CZLib", "Gateway", "Streaming", "Wire", logging, nioCore,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: warm
        ),
        .target(
            name: "CameraSimulator",
            dependencies: ["Wire", "SIP", "GB28181", "Media", "Transport", nioCore, nioPosix, logging],
            swiftSettings: warm
        ),
        .executableTarget(
            name: "gbgate",
            dependencies: [
                "Wire", "SIP", "GB28181", "Media", "Gateway", "GatewayAPI", "CameraSimulator", nioCore, nioPosix,
                logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: warm
        ),

        // Starts other programs for tests, without what this process has open.
        .target(name: "CSpawn", path: "Tests/CSpawn"),
        .target(name: "Programs", dependencies: ["CSpawn"], path: "Tests/Programs", swiftSettings: tests),
        .testTarget(name: "WireTests", dependencies: ["Wire", nioCore], swiftSettings: tests),
        .testTarget(name: "SIPTests", dependencies: ["SIP", "Wire", nioCore], swiftSettings: tests),
        .testTarget(name: "GB28181Tests", dependencies: ["GB28181", "SIP", "Wire", nioCore], swiftSettings: tests),
        .testTarget(name: "MediaTests", dependencies: ["Media", "Wire", nioCore], swiftSettings: tests),
        .testTarget(
            name: "StreamingTests",
            dependencies: ["Streaming", "Media", "Wire", nioCore],
            swiftSettings: tests
        ),
        .testTarget(
            name: "RecordingTests",
            dependencies: [
                "Recording", "Media", "Wire", nioCore, .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: tests
        ),
        .testTarget(
            name: "HubTests",
            dependencies: ["Hub", "Media", "Streaming", "CSockets", nioCore, nioEmbedded, nioPosix],
            swiftSettings: tests
        ),
        .testTarget(
            name: "TransportTests",
            dependencies: [
                "Programs", "Transport", "Hub", "SIP", "Media", "Streaming", "Wire", "CSockets", nioCore, nioPosix,
                nioEmbedded, nioHTTP1, nioSSL,
            ],
            swiftSettings: tests
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "GatewayAPI", "CameraSimulator", "GB28181", "SIP", "Hub", "Streaming", "Transport", logging,
                nioCore, nioPosix,
            ],
            swiftSettings: tests
        ),
        .testTarget(
            name: "CameraSimulatorTests",
            dependencies: ["CameraSimulator", "GB28181", "SIP", "Media", "Wire", nioCore, nioPosix],
            swiftSettings: tests
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Programs", "gbgate", "Gateway", "GatewayAPI", "CameraSimulator", "Media", "SIP", "Streaming",
                "Transport", nioCore, nioPosix, logging,
            ],
            swiftSettings: tests
        ),
        .testTarget(name: "gbgateTests", dependencies: ["gbgate", "Media", nioCore], swiftSettings: tests),
        .testTarget(name: "ProjectTests", dependencies: ["Gateway", "gbgate"], swiftSettings: tests),
    ]
)
