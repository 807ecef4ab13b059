/// Everything that is known about one media session's reception, for the API and for error texts (R-2, R-47).
package struct RTPIngestStatistics: Equatable, Sendable {
    /// RTP packets of the session's source, and their bytes with headers.
    package var packets = 0
    package var bytes = 0
    package var rtcpPackets = 0
    /// Datagrams that are no RTP, and whether they were SIP: the camera's SIP port points to the media port.
    package var notRTP = 0
    package var sipOnMediaPort: String?
    /// The SSRC in use, and how often it changed.
    package var ssrc: UInt32?
    package var ssrcChanges = 0
    /// Packets of other sources, and the last one's SSRC.
    package var wrongSSRC = 0
    package var lastWrongSSRC: UInt32?
    package var order = ReorderBuffer.Statistics()
    /// In ticks of 90 kHz.
    package var jitter: UInt32 = 0
    /// Datagrams that the kernel dropped because the socket's buffer was full; set by the socket layer.
    package var kernelDrops = 0
    package var payload: PayloadKind?
    package var demux = PSDemuxer.Statistics()
    package var video = VideoTrack.Statistics()
    package var audio = AudioTrack.Statistics()
    package var videoCodec: VideoCodec?
    package var audioCodec: AudioCodec?
    /// Codecs that the camera announced and that are left out.
    package var unsupportedCodecs: [String] = []
    /// Packets of an RTP payload format that are not used, or cut short.
    package var droppedPayloads = 0

    package init() {}

    /// One sentence on why there is no picture, or nil when there is one.
    package var diagnosis: String? {
        guard video.frames == 0, audio.frames == 0 else { return nil }
        if let sipOnMediaPort {
            return
                "the device sends SIP (\"\(sipOnMediaPort)\") to the media port: correct the SIP port in its settings"
        }
        if packets == 0 {
            return notRTP > 0
                ? "\(notRTP) datagrams came that are not RTP"
                : "0 packets received from any source: check the media address, firewall and NAT"
        }
        if case .unsupported(let name) = payload { return "\(packets) packets came, of \(name)" }
        if payload == nil { return "\(packets) packets came, none with the beginning of a program stream" }
        if !unsupportedCodecs.isEmpty {
            return "the stream carries \(unsupportedCodecs.joined(separator: ", ")), which cannot be carried on"
        }
        if video.missingParameters > 0 { return "key frames come without parameter sets" }
        if video.awaitingKeyFrame > 0 { return "\(video.awaitingKeyFrame) pictures came, and no key frame" }
        return "\(packets) packets came, and no whole picture"
    }
}
