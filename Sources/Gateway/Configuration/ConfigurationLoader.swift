internal import FoundationEssentials

/// A configuration that may be used, and what the operator should know about it.
package struct LoadedConfiguration: Sendable {
    package let configuration: GatewayConfiguration
    /// Warnings and notices, for the log.
    package let problems: [ConfigurationProblem]
    /// The file that was read; nil when there was none and the defaults hold.
    package let file: String?
}

extension GatewayConfiguration {
    /// Names of the environment that are ours but no keys.
    package static let reservedEnvironment: Set<String> = ["GBGATE_CONFIG"]

    /// The files looked for when none is named, in this order.
    package static let searchedFiles = [
        "gbgate.conf.json", "conf/gbgate.conf.json", "lalserver.conf.json", "conf/lalserver.conf.json",
    ]

    /// The first of ``searchedFiles`` below `folder` that exists.
    package static func locate(in folder: String = ".") -> String? {
        searchedFiles.map { folder == "." ? $0 : "\(folder)/\($0)" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }

    /// Reads a file (nil: the defaults alone) and lays the environment over it.
    /// Throws ``ConfigurationError`` with everything that is wrong.
    package static func load(file: String?, environment: [String: String]) throws -> LoadedConfiguration {
        guard let file else {
            return try load(document: nil, file: nil, environment: environment)
        }
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError(.error(file, "cannot be read: it does not exist or its permissions forbid it"))
        }
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes, json5: true)
        } catch {
            throw ConfigurationError(.error(file, "is no JSON: \(error)"))
        }
        return try load(document: document, file: file, environment: environment)
    }

    private static func load(
        document: JSONValue?,
        file: String?,
        environment: [String: String]
    ) throws -> LoadedConfiguration {
        var overlay = ConfigurationOverlay(schema: try .gateway())
        if let document { overlay.apply(document) }
        overlay.apply(environment: environment, prefix: "GBGATE_", except: reservedEnvironment)
        var problems = overlay.problems
        var configuration = GatewayConfiguration()
        do {
            configuration = try overlay.tree.decode(GatewayConfiguration.self)
            configuration.repairPatterns()
            problems += ConfigurationValidation(configuration).problems
            problems += UnservedKeys.problems(configuration)
        } catch let error as ConfigurationError {
            problems += error.problems
        }
        guard !problems.contains(where: { $0.severity == .error }) else { throw ConfigurationError(problems) }
        return LoadedConfiguration(configuration: configuration, problems: problems, file: file)
    }

    /// lal repairs URL patterns to begin and end with a slash.
    private mutating func repairPatterns() {
        func repaired(_ pattern: String) -> String {
            let body = pattern.split(separator: "/").joined(separator: "/")
            return body.isEmpty ? "/" : "/\(body)/"
        }
        httpflv.urlPattern = repaired(httpflv.urlPattern)
        httpts.urlPattern = repaired(httpts.urlPattern)
        httpfmp4.urlPattern = repaired(httpfmp4.urlPattern)
        hls.urlPattern = repaired(hls.urlPattern)
    }
}

extension JSONValue {
    /// Decodes a tree that an overlay has made complete. What can still be wrong is a value's inner form.
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let decoder = JSONDecoder()
        // Foundation's own conversion makes `m3u8` `M3U8`.
        decoder.keyDecodingStrategy = .custom { path in
            PropertyName(snakeCase: path.last?.stringValue ?? "")
        }
        do {
            return try decoder.decode(type, from: Data(text.utf8))
        } catch DecodingError.dataCorrupted(let context) {
            throw ConfigurationError(.error(Self.path(context.codingPath), context.debugDescription))
        } catch DecodingError.typeMismatch(_, let context) {
            throw ConfigurationError(.error(Self.path(context.codingPath), context.debugDescription))
        } catch {
            throw ConfigurationError(.error("the configuration", "\(error)"))
        }
    }

    private static func path(_ codingPath: [any CodingKey]) -> String {
        codingPath.map { JSONTreeEncoder.Keys.snakeCase.name($0.stringValue) }.joined(separator: ".")
    }
}

/// A key of the file as the property it sets: the inverse of ``JSONTreeEncoder/Keys/snakeCase``.
private struct PropertyName: CodingKey {
    let stringValue: String
    let intValue: Int? = nil

    init(snakeCase name: String) {
        let words = name.split(separator: "_")
        let rest = words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }
        stringValue = (words.first.map(String.init) ?? "") + rest.joined()
    }

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) {
        nil
    }
}
