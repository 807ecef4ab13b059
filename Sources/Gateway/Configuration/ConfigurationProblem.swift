/// One thing to tell the operator about the configuration.
package struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable {
        /// The configuration is refused.
        case error
        /// It works, but hardly as intended.
        case warning
        /// Worth knowing.
        case notice
    }

    package let severity: Severity
    /// The key: `rtmp.addr`; or a file or environment variable.
    package let path: String
    /// The value, why it is wrong, what is allowed. Never a secret.
    package let message: String

    package static func error(_ path: String, _ message: String) -> Self {
        Self(severity: .error, path: path, message: message)
    }

    package static func warning(_ path: String, _ message: String) -> Self {
        Self(severity: .warning, path: path, message: message)
    }

    package static func notice(_ path: String, _ message: String) -> Self {
        Self(severity: .notice, path: path, message: message)
    }

    package var description: String { "\(path): \(message)" }
}

/// A configuration that is refused, with everything there is to say of it: errors, and warnings beside them.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    package init(_ problem: ConfigurationProblem) {
        self.problems = [problem]
    }

    package var description: String {
        problems.filter { $0.severity == .error }.map(\.description).joined(separator: "\n")
    }
}

/// A value that is one of a few words.
package protocol ConfigurationChoice: RawRepresentable<String>, CaseIterable, Codable, Hashable, Sendable {}

extension ConfigurationChoice {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(rawValue: text) else {
            let allowed = Self.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "\"\(text)\" is not allowed; allowed: \(allowed)"
            )
        }
        self = value
    }
}
