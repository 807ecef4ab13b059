// swift-tools-version: 6.3
import PackageDescription

// The fuzzers: one libFuzzer executable, whose first argument names the parser. The sources of the layers are links, so that
// they are built with coverage and belong to this package, whose `package` declarations the executable may then use.
//
//   swift build -c release && .build/release/Fuzz RTPIngest -max_total_time=600 -rss_limit_mb=2048 corpus Seeds/RTPIngest
//
// `Crypto` is a stand-in for swift-crypto, most of whose C code is not run here and takes minutes to build.
let sanitize = ["-sanitize=fuzzer,address"]
let layer: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    // Testing: some of what is checked is internal to its layer.
    .unsafeFlags(sanitize + ["-enable-testing"]),
]
let harness: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(sanitize + ["-parse-as-library"])]
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "gbgate-fuzz",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2")
    ],
    targets: [
        .target(name: "Crypto", swiftSettings: [.swiftLanguageMode(.v6)]),
        .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .target(name: "Wire", dependencies: ["Crypto", nioCore], swiftSettings: layer),
        .target(name: "Media", dependencies: ["Wire", nioCore], swiftSettings: layer),
        .target(name: "SIP", dependencies: ["Wire", nioCore], swiftSettings: layer),
        .target(name: "GB28181", dependencies: ["SIP", "Wire", "CLibXML2", nioCore], swiftSettings: layer),
        .target(name: "Streaming", dependencies: ["Wire", "Media", nioCore], swiftSettings: layer),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["Wire", "Media", "SIP", "GB28181", "Streaming", nioCore],
            swiftSettings: harness,
            linkerSettings: [.unsafeFlags(sanitize)]
        ),
    ]
)
