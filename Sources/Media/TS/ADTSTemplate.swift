import NIOCore

/// The ADTS header of a stream of AAC, all but the length of the frame.
struct ADTSTemplate: Sendable {
    /// Seven bytes.
    private let bits: UInt64
    /// Stands before every frame when the header has no number for the channels.
    private let programConfig: [UInt8]
    let sampleRate: Int

    /// Nil when ADTS cannot say it: a profile behind AAC-LTP, a rate that its table has not.
    init?(_ audio: AudioParameters) {
        var objectType = 2
        var rate = audio.sampleRate
        var channels = audio.channels
        // The configuration knows better: HE-AAC is often named by the rate that comes out of the decoder.
        if let parsed = AudioSpecificConfig(audio.configuration) {
            objectType = parsed.objectType
            rate = parsed.sampleRate
            channels = parsed.channels
        }
        // SBR and PS hide in the fill elements of AAC-LC: that is how ADTS signals them (ISO/IEC 14496-3 1.6.5.2).
        if objectType == 5 || objectType == 29 { objectType = 2 }
        let header = ADTSHeader(objectType: objectType, sampleRate: rate, channels: channels, payloadLength: -7)
        guard let bytes = header.bytes else { return nil }
        if channels == 0 {
            guard let element = AudioSpecificConfig.programConfig(of: audio.configuration) else { return nil }
            programConfig = element
        } else {
            programConfig = []
        }
        bits = bytes.reduce(0) { $0 << 8 | UInt64($1) }
        sampleRate = rate
    }

    /// What comes before the payload.
    var length: Int { 7 &+ programConfig.count }

    /// aac_frame_length has 13 bits.
    func canCarry(_ payloadLength: Int) -> Bool { payloadLength &+ length <= 0x1FFF }

    func append(payloadLength: Int, to bytes: inout ByteBuffer) {
        let header = bits | UInt64(truncatingIfNeeded: payloadLength &+ length) << 13
        bytes.writeInteger(UInt32(truncatingIfNeeded: header >> 24))
        bytes.writeInteger(UInt16(truncatingIfNeeded: header >> 8))
        bytes.writeInteger(UInt8(truncatingIfNeeded: header))
        if !programConfig.isEmpty { bytes.writeBytes(programConfig) }
    }
}
