import NIOCore
import Wire

/// The sound's track of a fragmented MP4.
struct FMP4Sound: Hashable, Sendable {
    let codec: AudioCodec
    /// Ticks a second, which are samples.
    let timescale: Int
    let channels: Int
    /// AudioSpecificConfig, the body of dOps, or empty.
    let configuration: [UInt8]
    /// Samples of a frame that is always as long: AAC, and FLAC made of G.711. 0 for the others.
    let frameLength: Int
    /// A frame of silence; empty of FLAC, which is made as it is needed. Nil where none is known.
    let silence: [UInt8]?
    let codecString: String

    /// G.711 becomes FLAC, which browsers play and which takes no codec: 16-bit samples, uncompressed.
    var isFLAC: Bool { codec == .g711a || codec == .g711u }

    /// Samples that `silence` lasts.
    var silenceLength: Int {
        switch codec {
        case .aac, .g711a, .g711u: frameLength
        case .opus: 960
        case .mp3: timescale >= 32_000 ? 1152 : 576
        }
    }

    /// Nil when the rate or the number of channels is one that cannot be said.
    init?(_ parameters: AudioParameters) {
        let rate = parameters.codec == .opus ? 48_000 : parameters.sampleRate
        guard (1000...192_000).contains(rate), (1...8).contains(parameters.channels) else { return nil }
        codec = parameters.codec
        timescale = rate
        channels = parameters.channels
        switch parameters.codec {
        case .aac:
            let given = parameters.configuration
            let record =
                given.isEmpty ? AudioSpecificConfig(sampleRate: rate, channels: parameters.channels).bytes : given
            guard record.count <= 1024, let parsed = AudioSpecificConfig(record) else { return nil }
            configuration = record
            frameLength = AudioFrameLength.aac(record)
            silence = AACSilence.frame(objectType: parsed.objectType, channels: parsed.channels)
            codecString = "mp4a.40.\(parsed.objectType)"
        case .g711a, .g711u:
            guard parameters.channels <= 2 else { return nil }
            configuration = []
            frameLength = FLACFrame.blockSize
            silence = nil
            codecString = "flac"
        case .opus:
            guard let record = Self.opusRecord(parameters) else { return nil }
            configuration = record
            frameLength = 0
            // CELT, 20 ms, one channel, which a decoder spreads.
            silence = [0xF8, 0xFF, 0xFE]
            codecString = "opus"
        case .mp3:
            guard parameters.channels <= 2 else { return nil }
            configuration = []
            frameLength = 0
            silence = MP3Silence.frame(sampleRate: rate, channels: parameters.channels)
            codecString = rate > 24_000 ? "mp4a.6B" : "mp4a.69"
        }
    }

    /// ISO/IEC 14496-12 12.2.3.
    func writeEntry(into bytes: inout ByteBuffer) {
        let name: StaticString =
            switch codec {
            case .aac, .mp3: "mp4a"
            case .g711a, .g711u: "fLaC"
            case .opus: "Opus"
            }
        bytes.writeMP4Box(name) { box in
            box.writeMP4Zeros(6)
            box.writeInteger(UInt16(1))
            box.writeMP4Zeros(8)
            // 16 fixed bits cannot say more than 65535: then it is the configuration that tells.
            let rate = timescale <= 0xFFFF ? UInt32(clamping: timescale) << 16 : 0
            box.writeMultipleIntegers(UInt16(clamping: channels), UInt16(16), UInt32(0), rate)
            switch codec {
            case .aac, .mp3: writeDescriptor(into: &box)
            case .opus: box.writeMP4Box("dOps") { $0.writeBytes(configuration) }
            case .g711a, .g711u:
                box.writeMP4FullBox("dfLa") { record in
                    FLACFrame.writeStreamInformation(sampleRate: timescale, channels: channels, into: &record)
                }
            }
        }
    }

    /// esds: ISO/IEC 14496-1 7.2.6.5, 14496-14 3.1.2.
    private func writeDescriptor(into entry: inout ByteBuffer) {
        // MPEG-4 audio; MPEG-1 and MPEG-2 audio.
        let object: UInt8 = codec == .aac ? 0x40 : timescale > 24_000 ? 0x6B : 0x69
        let specific = configuration.isEmpty ? 0 : 5 + configuration.count
        entry.writeMP4FullBox("esds") { box in
            Self.writeTag(3, length: 3 + 5 + 13 + specific + 5 + 1, into: &box)
            box.writeMultipleIntegers(UInt16(2), UInt8(0))
            Self.writeTag(4, length: 13 + specific, into: &box)
            // Audio stream; buffer size and bit rates are not known.
            box.writeMultipleIntegers(object, UInt8(0x15))
            box.writeMP4Zeros(11)
            if !configuration.isEmpty {
                Self.writeTag(5, length: configuration.count, into: &box)
                box.writeBytes(configuration)
            }
            Self.writeTag(6, length: 1, into: &box)
            box.writeInteger(UInt8(2))
        }
    }

    /// ISO/IEC 14496-1 8.3.3: the length in four times seven bits.
    private static func writeTag(_ tag: UInt8, length: Int, into box: inout ByteBuffer) {
        let length = UInt32(clamping: length)
        box.writeInteger(tag)
        for shift in [21, 14, 7] as [UInt32] { box.writeInteger(0x80 | UInt8(length >> shift & 0x7F)) }
        box.writeInteger(UInt8(length & 0x7F))
    }

    /// dOps (Opus in ISOBMFF 4.3.2) of an OpusHead (RFC 7845 5.1), or of the number of channels. Nil when the head makes no
    /// sense.
    private static func opusRecord(_ parameters: AudioParameters) -> [UInt8]? {
        // Version, channels, pre-skip, rate, gain, family. Chromium plays nothing where the rate is not the sample entry's.
        let rate: [UInt8] = [0, 0, 0xBB, 0x80]
        let head = parameters.configuration
        guard !head.isEmpty else {
            guard parameters.channels <= 2 else { return nil }
            return [0, UInt8(clamping: parameters.channels), 0, 0] + rate + [0, 0, 0]
        }
        guard head.count >= 19, head.starts(with: Array("OpusHead".utf8)), head[9] == parameters.channels else {
            return nil
        }
        let record = [0, head[9], head[11], head[10]] + rate + [head[17], head[16], head[18]]
        guard head[18] != 0 else { return head[9] <= 2 ? record : nil }
        guard head.count >= 21 + Int(head[9]) else { return nil }
        return record + head[19..<21 + Int(head[9])]
    }
}
