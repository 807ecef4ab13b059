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
        /// MPEG-TS, and a binary WebSocket message for each frame of it.
        case ts
        case webSocketTS
        /// Fragmented MP4: an init segment, then a fragment for each frame; and that in binary WebSocket messages, behind a text
        /// message that names the codecs, the first with the init segment and all that is cached.
        case fmp4(hasAudio: Bool)
        case webSocketFMP4(hasAudio: Bool)

        /// Laid out from packets, not from FLV messages: it carries every codec, and a publisher's own packets.
        var isRTP: Bool { self == .rtsp }

        /// Laid out from frames, see `FrameOutput`.
        var isOfFrames: Bool {
            switch self {
            case .ts, .webSocketTS, .fmp4, .webSocketFMP4: true
            case .flv, .webSocketFLV, .rtmp, .rtmpPublish, .rtsp: false
            }
        }

        var isWebSocket: Bool {
            switch self {
            case .webSocketFLV, .webSocketTS, .webSocketFMP4: true
            case .flv, .rtmp, .rtmpPublish, .rtsp, .ts, .fmp4: false
            }
        }
    }

    package var framing: Framing
    /// How H.265 is written; without meaning for other codecs, which share one log.
    package var hevc: FLVHEVCFormat

    package init(_ framing: Framing, hevc: FLVHEVCFormat = .legacy) {
        self.framing = framing
        self.hevc = hevc
    }

    /// Whether it has a place for the codec.
    func canCarry(_ codec: VideoCodec) -> Bool {
        switch framing {
        case .ts, .webSocketTS: TSMuxer.canCarry(codec)
        case .fmp4, .webSocketFMP4, .rtsp: true
        case .flv, .webSocketFLV, .rtmp, .rtmpPublish: hevc.canCarry(codec)
        }
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
            case .ts: "MPEG-TS"
            case .webSocketTS: "MPEG-TS over WebSocket"
            case .fmp4: "fMP4"
            case .webSocketFMP4: "fMP4 over WebSocket"
            }
        if self.framing.isRTP || self.framing.isOfFrames { return framing }
        return hevc == .legacy ? framing : "enhanced \(framing)"
    }
}

/// Lays FLV messages out in one format; those of RTSP come as packets (`RTPOutput`), those of MPEG-TS and fMP4 as frames
/// (`FrameOutput`), and pass here by.
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
        case .rtmp, .rtmpPublish, .rtsp, .ts, .webSocketTS, .fmp4, .webSocketFMP4:
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
        case .rtsp, .ts, .webSocketTS, .fmp4, .webSocketFMP4:
            break
        }
    }
}
