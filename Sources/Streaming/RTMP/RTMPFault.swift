/// What a peer did that ends its connection.
package enum RTMPFault: Error, Hashable, Sendable {
    /// C0 names another version: most often TLS or HTTP on the RTMP port.
    case badVersion(UInt8)
    case badChunkSize
    case messageTooLong(length: Int, limit: Int)
    /// Bytes of messages begun and not completed.
    case tooMuchIncomplete(Int)
    case tooManyChunkStreams
    /// The first chunk of a chunk stream leaves out the fields that it should set.
    case headerOfNothing(chunkStream: UInt32)
    /// More bytes than are held while it is decided whether the peer may publish or play.
    case tooMuchBeforeAnswer(Int)
    /// Nothing published or played within the time allowed, or no media for as long.
    case timeout(RTMPTimeout)
    /// `connect` without an application.
    case connectWithoutApp
    /// A command that needs a `connect` before it.
    case notConnected(command: String)
    /// The answer to connect, publish or play was a refusal; the peer was told.
    case refused(String)
    /// This server ended a publisher; the peer was told.
    case ended(String)

    package var explanation: String {
        switch self {
        case .badVersion(let version):
            "expected RTMP version 3, got byte \(version)"
                + (version == 22 ? " (TLS on the plain RTMP port?)" : version > 31 ? " (is it an RTMP client?)" : "")
        case .badChunkSize: "Set Chunk Size must be 1 to 2147483647"
        case .messageTooLong(let length, let limit): "a message of \(length) bytes; at most \(limit) are taken"
        case .tooMuchIncomplete(let bytes): "\(bytes) bytes of messages that were begun and not completed"
        case .tooManyChunkStreams: "more than \(RTMPChunkReader.maximumChunkStreams) chunk streams"
        case .headerOfNothing(let id): "chunk stream \(id) begins with a header that leaves fields out"
        case .tooMuchBeforeAnswer(let bytes): "\(bytes) bytes before publish or play was answered"
        case .timeout(.role): "neither published nor played in time"
        case .timeout(.media): "sent nothing for too long while publishing"
        case .connectWithoutApp: "connect names no app: the URL must be rtmp://host/app/stream"
        case .notConnected(let command): "\(command) before connect"
        case .timeout(.ping): "a player that did not answer for too long"
        case .refused(let description): "refused: \(description)"
        case .ended(let description): "ended by this server: \(description)"
        }
    }
}

package enum RTMPTimeout: Hashable, Sendable {
    case role
    case media
    case ping
}
