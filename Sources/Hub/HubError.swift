package import Media

/// Why the Hub refuses a publisher or a viewer.
package enum HubError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another session publishes this stream; it stays.
    case alreadyPublished(stream: String, session: String)
    case tooManyStreams(limit: Int)
    case tooManyViewers(limit: Int)
    case tooManyViewersOfStream(String, limit: Int)
    /// The publisher's codec cannot be carried in the form that the viewer asks for.
    case unsupportedCodec(stream: String, codec: VideoCodec, format: WireFormat)
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
        case .unsupportedCodec(let stream, let codec, let format):
            "watch \(stream): \(format.description) cannot carry its \(codec.rawValue); use a player that speaks enhanced RTMP"
        case .foreignEventLoop:
            "the connection's event loop is none of the Hub's"
        }
    }
}

/// Why the Hub ends a publisher.
package enum PublisherEnd: Hashable, Sendable, CustomStringConvertible {
    /// The API ended the session.
    case kicked
    /// Another one publishes the stream now: its `host:port`, or its session id.
    case takenOver(by: String)
    case shutdown

    package var description: String {
        switch self {
        case .kicked: "ended by the API"
        case .takenOver(let other): "taken over by \(other)"
        case .shutdown: "the server shuts down"
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
