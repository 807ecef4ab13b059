package import Media
package import NIOCore

package struct RTMPServerConfiguration: Hashable, Sendable {
    /// From the connection to publish or play.
    package var roleTimeout: TimeAmount = .seconds(10)
    /// A publisher of whom no message was complete for so long has gone.
    package var mediaTimeout: TimeAmount = .seconds(30)
    /// A player that has said nothing for so long is asked whether it is there (nginx-rtmp's `ping`)…
    package var pingInterval: TimeAmount = .seconds(60)
    /// …and is gone when it says nothing for so long again (`ping_timeout`).
    package var pingTimeout: TimeAmount = .seconds(30)
    /// Bytes that are held between publish or play and the answer.
    package var heldBytes = 1 << 20
    /// Whether `connect` is asked as publish and play are; otherwise everybody may.
    package var asksAdmission = false

    package init() {}
}

/// What a client asks for, with what it said of itself in `connect`.
package struct RTMPRequest: Hashable, Sendable {
    package var address: StreamAddress
    package var tcURL: String
    package var flashVersion: String
    /// `.enhanced` when the client listed `hvc1` among the codecs that it can take (Enhanced RTMP `fourCcList`), or asked for
    /// it in the query.
    package var hevc: FLVHEVCFormat
}

/// Why a connect, publish or play is refused; it chooses the code that the client is told.
package enum RTMPRefusal: Hashable, Sendable {
    /// Another publisher holds the stream, or the name cannot be one.
    case badName
    case notFound
    case unauthorized
    /// A limit is reached, or the codec cannot be carried.
    case unavailable
}

package enum RTMPServerAction: Hashable, Sendable {
    case send(ByteBuffer)
    /// To be answered with `accept()` or `refuse(_:_:)`; until then input is held. Only where the configuration asks for it.
    case connect(RTMPConnectCommand)
    /// To be answered likewise.
    case publish(RTMPRequest)
    case play(RTMPRequest)
    /// Audio, video or metadata of the publisher.
    case message(FLVMessage)
    /// The publisher has stopped, the connection stays: it may publish again.
    case stopped
    /// After what was sent. Nil: the client is done.
    case close(RTMPFault?)
}
