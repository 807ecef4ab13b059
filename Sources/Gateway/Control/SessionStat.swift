/// One publisher, viewer or pull of a stream: lal's session object, in lal's field order.
package struct SessionStat: Codable, Hashable, Sendable {
    /// Prefix and counter: RTMPPUBSUB1, PSPUB1, FLVPUBSUB2 …
    package var sessionID: String
    /// RTMP, RTSP, FLV, TS, HLS or PS.
    package var `protocol`: String
    /// PUB, SUB, PUSH or PULL.
    package var baseType: String
    /// `ip:port`.
    package var remoteAddr: String
    /// ``WallTime/lal``.
    package var startTime: String
    package var readBytesSum: Int
    package var wroteBytesSum: Int
    /// The read side of a PUB or PULL, the write side of a SUB or PUSH; bytes * 8 / 1024 / seconds.
    package var bitrateKbits: Int
    package var readBitrateKbits: Int
    package var writeBitrateKbits: Int
    /// What RTP says about a camera's session; left out for everything else.
    package var rtp: RTPStat?
    /// What a viewer lost because it was slow; left out while it lost nothing.
    package var droppedFrames: Int?

    package init(
        sessionID: String,
        protocol: String,
        baseType: String,
        remoteAddr: String,
        startTime: String,
        readBytesSum: Int = 0,
        wroteBytesSum: Int = 0,
        bitrateKbits: Int = 0,
        readBitrateKbits: Int = 0,
        writeBitrateKbits: Int = 0,
        rtp: RTPStat? = nil,
        droppedFrames: Int? = nil
    ) {
        self.sessionID = sessionID
        self.protocol = `protocol`
        self.baseType = baseType
        self.remoteAddr = remoteAddr
        self.startTime = startTime
        self.readBytesSum = readBytesSum
        self.wroteBytesSum = wroteBytesSum
        self.bitrateKbits = bitrateKbits
        self.readBitrateKbits = readBitrateKbits
        self.writeBitrateKbits = writeBitrateKbits
        self.rtp = rtp
        self.droppedFrames = droppedFrames
    }

    /// lal shows an absent publisher or pull as an object of empty strings and zeros.
    package static let none = SessionStat(sessionID: "", protocol: "", baseType: "", remoteAddr: "", startTime: "")

    private enum CodingKeys: String, CodingKey {
        case sessionID = "session_id"
        case `protocol`
        case baseType = "base_type"
        case remoteAddr = "remote_addr"
        case startTime = "start_time"
        case readBytesSum = "read_bytes_sum"
        case wroteBytesSum = "wrote_bytes_sum"
        case bitrateKbits = "bitrate_kbits"
        case readBitrateKbits = "read_bitrate_kbits"
        case writeBitrateKbits = "write_bitrate_kbits"
        case rtp
        case droppedFrames = "dropped_frames"
    }
}

/// The health of one camera's RTP input, so that a user sees whether camera, network or gateway is at fault.
package struct RTPStat: Codable, Hashable, Sendable {
    /// `udp`, `tcp_passive` or `tcp_active`.
    package var transport: String
    /// TCP only: `rfc4571`, `interleaved` or `four_byte`, as detected; empty for UDP.
    package var framing: String
    package var ssrc: UInt32
    package var packets: Int
    /// Missing for good, after reordering.
    package var lost: Int
    package var reordered: Int
    package var duplicates: Int
    /// Packets of another SSRC, or unparsable; they disturb nothing.
    package var rejected: Int
    /// Datagrams that the kernel dropped because the socket's buffer was full.
    package var kernelDrops: Int
    /// RFC 3550 interarrival jitter.
    package var jitterMs: Double

    package init(
        transport: String,
        framing: String = "",
        ssrc: UInt32 = 0,
        packets: Int = 0,
        lost: Int = 0,
        reordered: Int = 0,
        duplicates: Int = 0,
        rejected: Int = 0,
        kernelDrops: Int = 0,
        jitterMs: Double = 0
    ) {
        self.transport = transport
        self.framing = framing
        self.ssrc = ssrc
        self.packets = packets
        self.lost = lost
        self.reordered = reordered
        self.duplicates = duplicates
        self.rejected = rejected
        self.kernelDrops = kernelDrops
        self.jitterMs = jitterMs
    }

    private enum CodingKeys: String, CodingKey {
        case transport
        case framing
        case ssrc
        case packets
        case lost
        case reordered
        case duplicates
        case rejected
        case kernelDrops = "kernel_drops"
        case jitterMs = "jitter_ms"
    }
}
