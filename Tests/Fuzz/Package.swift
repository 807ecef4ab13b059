// swift-tools-version: 6.3
import PackageDescription

// One libFuzzer executable a parser. The sources of the layers are links, so that they are built with coverage and belong to
// this package, whose `package` declarations the executables may then use.
//
//   swift build -c release && .build/release/FuzzRTPIngest -max_total_time=600 -rss_limit_mb=2048 corpus seeds
let sanitize = ["-sanitize=fuzzer,address"]
let layer: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .unsafeFlags(sanitize),
]
let harness: [SwiftSetting] = [.swiftLanguageMode(.v6), .unsafeFlags(sanitize + ["-parse-as-library"])]
let link: [LinkerSetting] = [.unsafeFlags(sanitize)]
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")

func fuzzer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies + [nioCore],
        swiftSettings: harness,
        linkerSettings: link
    )
}

let package = Package(
    name: "gbgate-fuzz",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    ],
    targets: [
        .target(
            name: "Wire",
            dependencies: [nioCore, .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: layer
        ),
        .target(name: "Media", dependencies: ["Wire", nioCore], swiftSettings: layer),
        .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .target(name: "SIP", dependencies: ["Wire", nioCore], swiftSettings: layer),
        .target(name: "GB28181", dependencies: ["SIP", "Wire", "CLibXML2", nioCore], swiftSettings: layer),
        fuzzer("FuzzRTPIngest", ["Media"]),
        fuzzer("FuzzPSDemuxer", ["Media"]),
        fuzzer("FuzzRTPStreamFramer", ["Media"]),
        fuzzer("FuzzSIP", ["SIP"]),
        fuzzer("FuzzSDP", ["Wire"]),
        fuzzer("FuzzXML", ["GB28181"]),
    ]
)
