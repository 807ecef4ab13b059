import Testing

/// Imports point downwards: a target imports only targets that stand before it, and that Package.swift lists for it.
@Suite struct LayerTests {
    static let layers = [
        "CLibXML2", "CZLib", "CSockets", "CWebAssets", "Wire", "SIP", "GB28181", "Media", "Streaming", "Recording",
        "Hub", "Transport", "Gateway", "GatewayAPI", "CameraSimulator", "gbgate",
    ]

    /// No socket, event loop, clock or task: what these must not import.
    static let sansIO = ["Wire", "SIP", "GB28181", "Media", "Streaming"]
    static let forbiddenBelow = [
        "NIOPosix", "NIOHTTP1", "NIOWebSocket", "NIOSSL", "Dispatch", "Foundation", "FoundationEssentials", "Logging",
        "ServiceLifecycle", "GRDB", "Hummingbird",
    ]

    static func imports(of target: String) throws -> [(module: String, file: String)] {
        try Project.files(below: "Sources/\(target)", suffix: ".swift").flatMap { file in
            try Project.text(file).split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index + 1 < words.count,
                    words[..<index].allSatisfy({ $0.hasPrefix("@") || ["package", "internal", "private"].contains($0) })
                else { return nil }
                let kinds = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
                let name = kinds.contains(String(words[index + 1])) ? words[index + 2] : words[index + 1]
                return (String(name.prefix { $0 != "." }), file)
            }
        }
    }

    @Test(arguments: layers) func importsPointDownwards(_ target: String) throws {
        let rank = try #require(Self.layers.firstIndex(of: target))
        for (module, file) in try Self.imports(of: target) {
            guard let other = Self.layers.firstIndex(of: module) else { continue }
            #expect(other < rank, "\(file) imports \(module), which stands above \(target)")
        }
    }

    @Test(arguments: layers) func importsAreDeclared(_ target: String) throws {
        let manifest = try Project.text("Package.swift")
        let own = Set(try Self.imports(of: target).map(\.module)).intersection(Self.layers)
        guard !own.isEmpty else { return }
        let targets = try #require(manifest.firstRange(of: "    targets: ["))
        let start = try #require(
            manifest[targets.upperBound...].firstRange(of: "name: \"\(target)\","),
            "\(target) is not in Package.swift"
        )
        let declared = manifest[start.upperBound...].prefix { $0 != "]" }
        for module in own {
            #expect(declared.contains("\"\(module)\""), "\(target) imports \(module) without declaring it")
        }
    }

    @Test(arguments: sansIO) func protocolsKnowNoIO(_ target: String) throws {
        for (module, file) in try Self.imports(of: target) {
            #expect(!Self.forbiddenBelow.contains(module), "\(file) imports \(module): \(target) is sans-IO")
        }
    }

    @Test(arguments: layers) func noTargetLinksAllOfFoundation(_ target: String) throws {
        for (module, file) in try Self.imports(of: target) {
            #expect(module != "Foundation", "\(file): use FoundationEssentials")
        }
    }

    @Test func everySourceFolderHasALayer() {
        let folders = Set(Project.files(below: "Sources", suffix: "").map { $0.split(separator: "/")[1] })
        #expect(folders.subtracting(Self.layers.map { $0[...] }) == [])
    }
}
