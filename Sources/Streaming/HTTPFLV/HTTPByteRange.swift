/// A `Range` field with one range of bytes (RFC 9110 14.1.2); several, or another unit, are not heeded, as a server may do.
package struct HTTPByteRange: Hashable, Sendable {
    private enum Form: Hashable, Sendable {
        case from(Int, to: Int?)
        case last(Int)
    }

    private let form: Form

    /// - Parameter text: of the field.
    package init?(_ text: String) {
        guard text.lowercased().hasPrefix("bytes=") else { return nil }
        let parts = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let bounds = parts.map { $0.filter { $0 != " " } }
        guard bounds.allSatisfy({ $0.utf8.count <= 18 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        switch (Int(bounds[0]), Int(bounds[1])) {
        case (nil, let count?): form = .last(count)
        case (let first?, nil): form = .from(first, to: nil)
        case (let first?, let last?):
            guard first <= last else { return nil }
            form = .from(first, to: last)
        case (nil, nil): return nil
        }
    }

    /// - Returns: nil when no byte of so many is in it: 416.
    package func resolve(length: Int) -> Range<Int>? {
        switch form {
        case .from(let first, let last):
            guard first < length else { return nil }
            return first..<min((last ?? length - 1) + 1, length)
        case .last(let count):
            guard count > 0, length > 0 else { return nil }
            return max(0, length - count)..<length
        }
    }
}
