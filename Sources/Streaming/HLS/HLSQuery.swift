package import Media
import Wire

/// Queries of HLS requests.
enum HLSQuery {
    /// Reserved by RFC 8216bis 6.2.5 for the talk between player and server.
    private static let reserved = "_HLS_"

    /// Names and values, decoded; what cannot be decoded is left out.
    static func items(_ query: String) -> [(name: String, value: String, raw: Substring)] {
        guard !query.isEmpty else { return [] }
        return query.split(separator: "&").compactMap { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first.flatMap(PercentEncoding.decode) else { return nil }
            guard let value = PercentEncoding.decode(parts.count > 1 ? parts[1] : "") else { return nil }
            return (name, value, item)
        }
    }

    static func forChildren(_ query: String) -> String {
        guard !query.isEmpty else { return "" }
        return items(query).filter { !$0.name.hasPrefix(reserved) }.map { escape($0.raw) }.joined(separator: "&")
    }

    /// All that RFC 3986 3.4 does not allow in a query is escaped. Percent signs are escapes already.
    private static func escape(_ text: Substring) -> String {
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            if isAllowed(byte) {
                escaped.append(byte)
            } else {
                escaped += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "A") &+ value &- 10
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default:
            "-._~!$&'()*+,;=:@/?%".utf8.contains(byte)
        }
    }
}

extension HLSDirectives {
    /// - Parameter query: of the request. Directives of other names are ignored, so that newer players can be served.
    package init(query: String) throws(HLSRequest.Fault) {
        self.init()
        for item in HLSQuery.items(query) {
            switch item.name {
            case "_HLS_msn": segment = try Self.number(item.name, item.value)
            case "_HLS_part": part = try Self.number(item.name, item.value)
            case "_HLS_skip": skips = item.value == "YES" || item.value == "v2"
            default: break
            }
        }
    }

    private static func number(_ name: String, _ text: String) throws(HLSRequest.Fault) -> Int {
        // A decimal-integer has up to 20 digits (RFC 8216 4.2): more than fits is too far ahead in any case.
        guard !text.isEmpty, text.utf8.count <= 20, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .directive(name)
        }
        return Int(text) ?? .max
    }
}
