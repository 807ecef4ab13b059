/// Why the Hub refuses a publisher or a viewer.
package enum HubError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another session publishes this stream; it stays.
    case alreadyPublished(stream: String, session: String)
    case tooManyStreams(limit: Int)
    case tooManyViewers(limit: Int)
    case tooManyViewersOfStream(String, limit: Int)
    /// The connection runs on an event loop that the Hub was not made with.
    case foreignEventLoop

    package var description: String {
        switch self {
        case .alreadyPublished(let stream, let session):
            "publish \(stream): session \(session) publishes it already; end that session or take another stream name"
        case .tooManyStreams(let limit):
            "there are \(limit) streams, the configured maximum"
        case .tooManyViewers(let limit):
            "there are \(limit) viewers, the configured maximum"
        case .tooManyViewersOfStream(let stream, let limit):
            "watch \(stream): it has \(limit) viewers, the configured maximum of a stream"
        case .foreignEventLoop:
            "the connection's event loop is none of the Hub's"
        }
    }
}

/// What happened to a session, for hooks and for pulls on demand. Told on an event loop: be quick.
package struct HubEvent: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case publisherStarted
        case publisherStopped
        case viewerStarted
        case viewerStopped
    }

    package var kind: Kind
    package var stream: String
    package var app: String
    package var session: SessionInfo
    package var readBytes = 0
    package var wroteBytes = 0
    /// Whether the stream has a publisher and viewers after the event.
    package var hasPublisher: Bool
    package var hasViewers: Bool
}
