import Wire

/// The opening handshake (RFC 6455 section 4).
package enum WebSocketHandshake {
    /// The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.
    package static func accept(key: String) -> String {
        Base64.encode(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// The value of Sec-WebSocket-Key for a connection of ours.
    package static func key(_ random: (UInt64, UInt64)) -> String {
        Base64.encode(
            [random.0, random.1].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
            }
        )
    }

    /// Whether a message's headers ask for an upgrade to WebSocket, or grant it: tokens are compared without regard to case,
    /// and `Connection` may list several.
    package static func isUpgrade(connection: [String], upgrade: [String]) -> Bool {
        holds("upgrade", connection) && holds("websocket", upgrade)
    }

    private static func holds(_ token: String, _ values: [String]) -> Bool {
        values.contains { value in
            value.split(separator: ",").contains { item in
                item.split { $0 == " " || $0 == "\t" }.joined().lowercased() == token
            }
        }
    }
}
