/// A stream's name that may be the beginning of a file's name, or the name of a folder.
///
/// Names are the publisher's: one that could leave its folder, hide, or be taken for another is refused, not mended, so that
/// two streams never share a name on disk.
package struct StreamFileName: Hashable, Sendable {
    /// Bytes of UTF-8: 255 of a file name less time, number and extension.
    package static let maximumLength = 200

    package let text: String

    /// Nil for an empty or too long name, one with `/`, `\`, `..` or control characters, and one that begins with a dot.
    package init?(_ name: String) {
        guard !name.isEmpty, name.utf8.count <= Self.maximumLength, Self.isHarmless(name) else { return nil }
        text = name
    }

    /// A single component of a path that names something below its folder.
    static func isHarmless(_ component: String) -> Bool {
        guard !component.isEmpty, component.utf8.count <= 255, component.utf8.first != 0x2E else { return false }
        var previous: Unicode.Scalar = " "
        for scalar in component.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: return false
            case 0x2F, 0x5C: return false
            case 0x2E where previous == ".": return false
            default: previous = scalar
            }
        }
        return true
    }
}
