/// A password, token or key of the configuration. It never prints: not by interpolation, not by `dump`, not in JSON.
package struct Secret: Hashable, Sendable {
    /// The secret itself, for the one comparison that needs it.
    package let value: String

    package init(_ value: String) {
        self.value = value
    }

    package var isEmpty: Bool { value.isEmpty }

    /// Compares in a time that depends on the length of `candidate` only.
    package func matches(_ candidate: some StringProtocol) -> Bool {
        let mine = Array(value.utf8)
        var difference = UInt8(mine.count == candidate.utf8.count ? 0 : 1)
        var index = 0
        for byte in candidate.utf8 {
            difference |= byte ^ (index < mine.count ? mine[index] : 0)
            index &+= 1
        }
        return difference == 0
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private var shown: String { isEmpty ? "" : "***" }

    package var description: String { shown }
    package var debugDescription: String { shown }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension Secret: Codable {
    package init(from decoder: any Decoder) throws {
        value = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(shown)
    }
}
