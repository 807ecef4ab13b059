extension RTCPPacket {
    /// An empty receiver report and a BYE of a source (RFC 3550 6.1, 6.6): its reader has been ended.
    package static func goodbye(from ssrc: UInt32) -> [UInt8] {
        emptyReceiverReport(from: ssrc)
            + [head(goodbye, count: 1, words: 1), ssrc].flatMap { word in
                [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
            }
    }
}
