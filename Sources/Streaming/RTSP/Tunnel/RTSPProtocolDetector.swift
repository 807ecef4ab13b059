package import NIOCore
import Wire

/// What a connection on the RTSP port turns out to be.
package enum RTSPConnectionKind: Hashable, Sendable {
    /// Requests, as they come.
    case rtsp
    /// The half of a tunnel that answers go through.
    case tunnelGET(cookie: String)
    /// The half of a tunnel that requests come through, in base64.
    case tunnelPOST(cookie: String)
    /// `accept` of the handshake is to be sent; frames follow.
    case webSocket(RTSPWebSocketUpgrade)
}

package struct RTSPWebSocketUpgrade: Hashable, Sendable {
    package var target: String
    /// The handshake's response.
    package var response: ByteBuffer
}

package enum RTSPDetectionFault: Error, Hashable, Sendable {
    /// HTTP that opens no tunnel, with what to answer before the connection is closed.
    case http(ByteBuffer)
    case tooLong
}

/// Looks at the first bytes of a connection.
package struct RTSPProtocolDetector: Sendable {
    package init() {}

    /// Nil: more bytes are needed. What belongs to the connection's protocol is left in `input`, with what was held.
    package mutating func receive(_ input: inout ByteBuffer) throws(RTSPDetectionFault) -> RTSPConnectionKind? { nil }
}
