/// Makes branches, tags and Call-IDs that nobody can guess.
package struct SIPTokens: Sendable {
    private var generator: any RandomNumberGenerator & Sendable

    /// - Parameter generator: `SystemRandomNumberGenerator()` in service, a seeded one in tests.
    package init(_ generator: any RandomNumberGenerator & Sendable) {
        self.generator = generator
    }

    package mutating func number() -> UInt64 { generator.next() }

    /// 16 hex digits.
    package mutating func token() -> String {
        let text = String(generator.next(), radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }

    package mutating func branch() -> String { SIPVia.cookie + token() }

    /// `hex@host`: no exotic characters, some cameras choke on them.
    package mutating func callID(host: String) -> String { "\(token())@\(host)" }
}
