/// A listener as Go writes it: `:1935` (all addresses), `127.0.0.1:1935`, `[::1]:1935`. Empty text means none.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// As configured.
    package let text: String
    /// Empty: all addresses.
    package let host: String
    /// 0 lets the system choose.
    package let port: Int

    package init?(_ text: String) {
        self.text = text
        guard !text.isEmpty else {
            (host, port) = ("", 0)
            return
        }
        guard
            let colon = text.lastIndex(of: ":"),
            text[text.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            host = host.dropFirst().dropLast()
        } else if host.contains(where: { $0 == ":" || $0 == "[" || $0 == "]" }) {
            return nil
        }
        self.host = String(host)
        self.port = Int(port)
    }

    package var isEmpty: Bool { text.isEmpty }

    /// What to bind: IPv4's wildcard when no host is named.
    package var bindHost: String { host.isEmpty ? "0.0.0.0" : host }

    package var isLoopback: Bool {
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "::1" || host == "localhost"
            || (bytes.count == 4 && bytes[0] == "127" && bytes.allSatisfy { UInt8($0) != nil })
    }

    package var description: String { text }

    static let allowed = "host:port as in \":1935\", \"127.0.0.1:1935\" or \"[::1]:1935\", port 0 to 65535"
}

extension ListenAddress: ExpressibleByStringLiteral {
    /// For addresses in source code; a malformed one is none.
    package init(stringLiteral text: String) {
        self = ListenAddress(text) ?? ListenAddress.none
    }

    package static let none = ListenAddress(text: "", host: "", port: 0)

    private init(text: String, host: String, port: Int) {
        self.text = text
        self.host = host
        self.port = port
    }
}

extension ListenAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = ListenAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "\"\(text)\" is no listen address; allowed: \(Self.allowed)"
            )
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension HTTPAPISection {
    /// Where the API may listen. Without a token it stays on loopback: `:8083` becomes `127.0.0.1:8083`, an address
    /// that names another interface is refused.
    package func permittedAddress() throws -> ListenAddress {
        if !token.isEmpty || addr.isLoopback { return addr }
        guard addr.host.isEmpty else {
            throw ConfigurationError(
                .error(
                    "http_api.addr",
                    "\"\(addr)\" can be reached from the network but http_api.token is empty; "
                        + "set a token (or GBGATE_HTTP_API_TOKEN) or listen on 127.0.0.1:\(addr.port)"
                )
            )
        }
        return ListenAddress("127.0.0.1:\(addr.port)") ?? .none
    }
}
