package import Media
import NIOCore
import Streaming

/// How a stream's messages are laid out for a kind of viewer: each has a byte log of its own.
package struct WireFormat: Hashable, Sendable, CustomStringConvertible {
    package enum Framing: Hashable, Sendable {
        /// FLV tags.
        case flv
        /// Each FLV tag in a binary WebSocket frame of its own.
        case webSocketFLV
        /// RTMP chunks with absolute timestamps and the fixed chunk size that every session announces.
        case rtmp
        /// The same for a server that we publish to: on the message stream that it has answered, metadata behind
        /// `@setDataFrame`.
        case rtmpPublish(streamID: UInt32)
        /// RTP and RTCP packets as RTSP interleaves them, on the channels that a reader gets who asks for none of its own.
        case rtsp

        /// Laid out from packets, not from FLV messages: it carries every codec, and a publisher's own packets.
        var isRTP: Bool { self == .rtsp }
    }

    package var framing: Framing
    /// How H.265 is written; without meaning for other codecs, which share one log.
    package var hevc: FLVHEVCFormat

    package init(_ framing: Framing, hevc: FLVHEVCFormat = .legacy) {
        self.framing = framing
        self.hevc = hevc
    }

    package static let flv = WireFormat(.flv)
    package static let rtsp = WireFormat(.rtsp, hevc: .enhanced)

    package var description: String {
        let framing =
            switch framing {
            case .flv: "FLV"
            case .webSocketFLV: "FLV over WebSocket"
            case .rtmp, .rtmpPublish: "RTMP"
            case .rtsp: "RTSP"
            }
        if self.framing.isRTP { return framing }
        return hevc == .legacy ? framing : "enhanced \(framing)"
    }
}

/// Lays FLV messages out in one format; those of RTSP come as packets (`RTPOutput`) and pass here by.
struct MessageFramer {
    let format: WireFormat

    init(_ format: WireFormat) {
        self.format = format
    }

    /// What a connection needs once, before anything else.
    func fileHeader(hasVideo: Bool, hasAudio: Bool) -> ByteBuffer {
        var bytes = ByteBuffer()
        switch format.framing {
        case .flv:
            FLVTagWriter.writeFileHeader(hasVideo: hasVideo, hasAudio: hasAudio, into: &bytes)
        case .webSocketFLV:
            WebSocketFrame.writeHeader(opcode: .binary, length: FLVTagWriter.fileHeaderLength, into: &bytes)
            FLVTagWriter.writeFileHeader(hasVideo: hasVideo, hasAudio: hasAudio, into: &bytes)
        case .rtmp, .rtmpPublish, .rtsp:
            break
        }
        return bytes
    }

    /// Appends one message, which is in the form of the format.
    func write(_ message: FLVMessage, into bytes: inout ByteBuffer) {
        switch format.framing {
        case .flv:
            FLVTagWriter.write(message, into: &bytes)
        case .webSocketFLV:
            WebSocketFrame.writeHeader(opcode: .binary, length: message.length + FLVTagWriter.overhead, into: &bytes)
            FLVTagWriter.write(message, into: &bytes)
        case .rtmp:
            RTMPChunkWriter.write(message, into: &bytes)
        case .rtmpPublish(let streamID):
            RTMPChunkWriter.write(message, streamID: streamID, isPublishing: true, into: &bytes)
        case .rtsp:
            break
        }
    }
}
