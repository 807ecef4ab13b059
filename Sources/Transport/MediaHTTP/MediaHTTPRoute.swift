import Hub
import Streaming

/// What is served under a prefix of the paths: one form of streams, by their file extension.
package struct MediaHTTPRoute: Hashable, Sendable {
    /// Begins and ends with a slash; a path belongs to it when it begins with it. The whole path stays the stream's address:
    /// under `/live/`, `/live/x.flv` is stream `x` of application `live`.
    package let pattern: String
    /// Lower case, without the dot.
    package let fileExtension: String
    let contentType: String
    let session: SessionKind
    let plain: WireFormat.Framing
    let webSocket: WireFormat.Framing

    /// HTTP-FLV and WebSocket-FLV: `/app/stream.flv`.
    /// - Parameter pattern: as configured; it is repaired to begin and end with a slash, as lal does.
    package static func flv(under pattern: String = "/") -> MediaHTTPRoute {
        MediaHTTPRoute(
            pattern: repaired(pattern),
            fileExtension: "flv",
            contentType: "video/x-flv",
            session: .flv,
            plain: .flv,
            webSocket: .webSocketFLV
        )
    }

    /// HTTP-TS and WebSocket-TS: `/app/stream.ts`.
    package static func ts(under pattern: String = "/") -> MediaHTTPRoute {
        MediaHTTPRoute(
            pattern: repaired(pattern),
            fileExtension: "ts",
            contentType: "video/mp2t",
            session: .ts,
            plain: .ts,
            webSocket: .webSocketTS
        )
    }

    /// HTTP-fMP4 and WebSocket-fMP4: `/app/stream.mp4`, without sound by `?audio=0`.
    package static func fmp4(under pattern: String = "/") -> MediaHTTPRoute {
        MediaHTTPRoute(
            pattern: repaired(pattern),
            fileExtension: "mp4",
            contentType: "video/mp4",
            session: .fmp4,
            plain: .fmp4(hasAudio: true),
            webSocket: .webSocketFMP4(hasAudio: true)
        )
    }

    /// What a player gets who asks with this query.
    func framing(isWebSocket: Bool, hasAudio: Bool) -> WireFormat.Framing {
        switch isWebSocket ? webSocket : plain {
        case .fmp4: .fmp4(hasAudio: hasAudio)
        case .webSocketFMP4: .webSocketFMP4(hasAudio: hasAudio)
        case let framing: framing
        }
    }

    private static func repaired(_ pattern: String) -> String {
        let start = pattern.hasPrefix("/") ? pattern : "/" + pattern
        return start.hasSuffix("/") ? start : start + "/"
    }
}

extension [MediaHTTPRoute] {
    /// Nothing is served there: the reason for the player.
    struct NoRoute: Error, Hashable {
        var explanation: String
    }

    func find(_ stream: HTTPStreamRequest) throws(NoRoute) -> MediaHTTPRoute {
        let known = filter { $0.fileExtension == stream.fileExtension }
        guard !known.isEmpty else {
            let extensions = Set(map(\.fileExtension)).sorted().map { "." + $0 }.joined(separator: ", ")
            throw NoRoute(explanation: "there is no stream format .\(stream.fileExtension) here: use \(extensions)")
        }
        let path = "/" + (stream.address.app.isEmpty ? "" : stream.address.app + "/")
        let fitting = known.filter { path.hasPrefix($0.pattern) }
        guard let route = fitting.max(by: { $0.pattern.count < $1.pattern.count }) else {
            let patterns = known.map(\.pattern).sorted().joined(separator: ", ")
            throw NoRoute(explanation: ".\(stream.fileExtension) streams are under \(patterns) here")
        }
        return route
    }
}
