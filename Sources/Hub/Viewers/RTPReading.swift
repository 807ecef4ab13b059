package import Media
package import NIOCore

/// How an RTSP reader's packets reach it.
package enum RTPDelivery {
    /// Interleaved on its connection. The last bytes before the first packet are made when it is known where that begins:
    /// they are the answer to PLAY, with its RTP-Info. nil: it is not known yet.
    case interleaved(any Channel, ViewerSink, answer: (_ starts: [RTPStart]?) -> ByteBuffer)
    /// Over UDP; `answer` is called before the first packet.
    case datagrams(any RTPDatagramSink, answer: (_ starts: [RTPStart]?) -> Void)
}

/// What an RTSP reader has set up.
package struct RTPReading: Sendable {
    /// What it was told that the stream consists of.
    package var description: StreamDescription
    /// The interleaved channel of each media's RTP packets; nil for a media that it has not set up. RTCP has the next.
    package var channels: [UInt8?]
    /// Each packet goes in a binary WebSocket frame.
    package var isWebSocket: Bool
    /// It gets nothing of what is cached: members of a multicast group join while it is sent.
    package var startsLive = false

    package init(description: StreamDescription, channels: [UInt8?], isWebSocket: Bool = false) {
        self.description = description
        self.channels = channels
        self.isWebSocket = isWebSocket
    }

    /// The stream's bytes go out as they are: everything is set up, on the channels that the log has.
    func isPlain(of present: StreamDescription) -> Bool {
        guard !isWebSocket, channels.count == present.media.count else { return false }
        return channels.indices.allSatisfy { channels[$0] == InterleavedFrame.channel(ofMedia: $0) }
    }

    /// The channel that packets of a channel of the log go out on.
    func channel(for channel: UInt8) -> UInt8? {
        let media = Int(channel >> 1)
        guard channels.indices.contains(media), let own = channels[media] else { return nil }
        return own &+ channel & 1
    }
}

/// Sends an RTSP reader's packets over UDP; on the loop of the viewer.
package protocol RTPDatagramSink: AnyObject {
    /// Takes one packet. The bytes are valid until `flush`.
    func send(_ packet: UnsafeRawBufferPointer, media: Int, isRTCP: Bool)
    /// Sends what was taken.
    /// - Returns: the bytes that went out.
    func flush() -> Int
}
