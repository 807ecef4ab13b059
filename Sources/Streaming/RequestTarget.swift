import Wire

/// A request target of HTTP in its parts, found by their bytes: a path, or an absolute URL whose scheme and authority do not matter
/// (RFC 9112 3.2).
struct RequestTarget {
    /// A `%` that two hexadecimal digits do not follow, or bytes that are no UTF-8.
    struct BadEncoding: Error {}

    /// Percent-encoded, as it came.
    let path: Substring
    /// Without `?`; empty when there is none.
    let query: Substring

    init(_ target: String) {
        var rest = Substring(target)
        if rest.utf8.first != UInt8(ascii: "/"), let scheme = rest.firstRange(of: "://"),
            !rest[..<scheme.lowerBound].utf8.contains(UInt8(ascii: "/"))
        {
            rest = rest[scheme.upperBound...]
            rest = rest[(rest.utf8.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex)...]
        }
        // A fragment should not arrive here; some players send it all the same.
        if let hash = rest.utf8.firstIndex(of: UInt8(ascii: "#")) { rest = rest[..<hash] }
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = rest[..<mark]
            query = rest[rest.utf8.index(after: mark)...]
        } else {
            path = rest
            query = ""
        }
    }

    /// The items of a path, decoded one by one: an encoded slash stays within its item, where it can be refused.
    static func items(of path: Substring) throws(BadEncoding) -> [String] {
        var items: [String] = []
        var rest = path
        while !rest.isEmpty {
            let end = rest.utf8.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            if end > rest.startIndex {
                guard let decoded = PercentEncoding.decode(rest[..<end]) else { throw BadEncoding() }
                items.append(decoded)
            }
            rest = end < rest.endIndex ? rest[rest.utf8.index(after: end)...] : ""
        }
        return items
    }
}
