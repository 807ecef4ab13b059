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

/// A configuration that is refused, with everything that is wrong with it.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    package init(_ problem: ConfigurationProblem) {
        self.problems = [problem]
    }

    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
