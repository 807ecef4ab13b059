import NIOCore
import Wire

/// StreamMuxConfig (ISO/IEC 14496-3 1.7.3): one programme of one layer, which is all that RTP carries.
struct StreamMuxConfig: Hashable, Sendable {
    /// AudioSpecificConfig, padded to a byte.
    var audio: [UInt8]
    /// Frames of one AudioMuxElement.
    var subFrames: Int
    var sampleRate: Int
    var samples: Int
    /// Bits that a frame has where it does not tell: frameLengthType 1.
    var fixedFrameBits: Int?

    init?(_ bytes: [UInt8]) {
        // GStreamer's "40002420" ends within frameLengthType: what is missing is zero.
        var reader = BitReader(bytes + [0, 0, 0, 0])
        self.init(&reader)
    }

    init?(_ reader: inout BitReader) {
        guard let version = reader.bit() else { return nil }
        if version == 1 {
            // audioMuxVersionA is reserved; taraBufferFullness.
            guard reader.bit() == 0, Self.value(&reader) != nil else { return nil }
        }
        guard reader.flag() == true, let subFrames = reader.bits(6), reader.bits(4) == 0, reader.bits(3) == 0 else {
            return nil
        }
        self.subFrames = Int(subFrames) + 1
        var end: Int?
        if version == 1 {
            guard let length = Self.value(&reader) else { return nil }
            end = reader.position + Int(length)
        }
        let start = reader.position
        guard let parsed = Self.skipAudio(&reader) else { return nil }
        (sampleRate, samples) = parsed
        if let end {
            guard reader.skip(end - reader.position) else { return nil }
        }
        audio = reader.copy(from: start)
        // Channel layouts that nobody else reads either.
        guard AudioSpecificConfig(audio) != nil else { return nil }
        guard let type = reader.bits(3) else { return nil }
        switch type {
        case 0:
            guard reader.skip(8) else { return nil }
        case 1:
            guard let length = reader.bits(9) else { return nil }
            fixedFrameBits = (Int(length) + 20) * 8
        default: return nil
        }
        // Other data come behind the frames, and are left there.
        guard let hasOther = reader.flag() else { return nil }
        if hasOther, (version == 1 ? Self.value(&reader) : Self.escaped(&reader)) == nil { return nil }
        guard let hasChecksum = reader.flag(), reader.skip(hasChecksum ? 8 : 0) else { return nil }
    }

    /// LatmGetValue.
    private static func value(_ reader: inout BitReader) -> UInt32? {
        guard let count = reader.bits(2) else { return nil }
        guard let value = reader.bits((Int(count) + 1) * 8), value < 1 << 24 else { return nil }
        return value
    }

    private static func escaped(_ reader: inout BitReader) -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<3 {
            guard let more = reader.flag(), let byte = reader.bits(8) else { return nil }
            value = value << 8 | byte
            if !more { return value }
        }
        return nil
    }

    /// AudioSpecificConfig with a GASpecificConfig (1.6.2.1, 4.4.1): the core's rate and the samples of a frame.
    private static func skipAudio(_ reader: inout BitReader) -> (rate: Int, samples: Int)? {
        guard var type = objectType(&reader), let rate = sampleRate(&reader), let channels = reader.bits(4) else {
            return nil
        }
        if type == 5 || type == 29 {
            guard sampleRate(&reader) != nil, let core = objectType(&reader) else { return nil }
            type = core
            if type == 22, !reader.skip(4) { return nil }
        }
        // AAC main, LC, SSR, LTP, scalable and their error resilient kin. Channel layouts of its own are not read.
        guard [1, 2, 3, 4, 6, 17, 19, 20, 23].contains(type), channels > 0,
            let isShort = reader.flag(), let hasCore = reader.flag(), reader.skip(hasCore ? 14 : 0),
            let isExtended = reader.flag(), reader.skip(type == 6 || type == 20 ? 3 : 0)
        else { return nil }
        if isExtended, !reader.skip([17, 19, 20, 23].contains(type) ? 4 : 1) { return nil }
        // epConfig of the error resilient types.
        if type >= 17, reader.bits(2) != 0 { return nil }
        return (rate, isShort ? 960 : 1024)
    }

    private static func objectType(_ reader: inout BitReader) -> UInt32? {
        guard let type = reader.bits(5) else { return nil }
        return type == 31 ? reader.bits(6).map { $0 + 32 } : type
    }

    private static func sampleRate(_ reader: inout BitReader) -> Int? {
        guard let index = reader.bits(4) else { return nil }
        if index == 15 { return reader.bits(24).flatMap { $0 > 0 ? Int($0) : nil } }
        return Int(index) < AudioSpecificConfig.sampleRates.count ? AudioSpecificConfig.sampleRates[Int(index)] : nil
    }
}

/// How AAC in LATM lies in RTP (RFC 6416), from the format parameters.
struct LATMFormat: Hashable, Sendable {
    /// Nil when it comes with the stream.
    var configuration: StreamMuxConfig?
    var hasConfigurationInBand: Bool
    var clockRate: Int

    /// Nil when the configuration is neither here nor in the stream.
    init?(_ format: RTPFormat) {
        let parameters = format.parameters
        configuration = parameters.bytes("config").flatMap { StreamMuxConfig($0) }
        hasConfigurationInBand = parameters["cpresent"] != "0"
        clockRate = format.clockRate
        guard hasConfigurationInBand || configuration != nil else { return nil }
    }
}

/// Takes AAC out of the AudioMuxElements of RFC 6416.
struct LATMDepacketizer: Sendable {
    private static let largestElement = 1 << 16

    private let format: LATMFormat
    private(set) var configuration: StreamMuxConfig?
    private var gathered: [UInt8] = []
    private var timestamp: UInt32 = 0
    private(set) var malformed = 0

    init(_ format: LATMFormat) {
        self.format = format
        configuration = format.configuration
    }

    mutating func discontinuity() {
        gathered = []
    }

    /// Appends the frames of the element that ends with this packet, or, where no packet is marked, that ended with the last.
    ///
    /// - Returns: the timestamp that they belong to.
    mutating func receive(
        _ payload: RawSpan,
        timestamp: UInt32,
        marker: Bool,
        into units: inout [AudioUnit]
    ) -> UInt32 {
        let last = self.timestamp
        self.timestamp = timestamp
        if !gathered.isEmpty, timestamp != last {
            // The element before had no marker: it is whole.
            finish(into: &units)
            gathered.append(payload)
            guard marker else { return last }
            let first = units.count
            finish(into: &units)
            let ticks = Int64(Int32(bitPattern: timestamp &- last))
            for index in first..<units.count { units[index].ticks &+= ticks }
            return last
        }
        guard gathered.count + payload.byteCount <= Self.largestElement else {
            malformed += 1
            gathered = []
            return timestamp
        }
        gathered.append(payload)
        if marker { finish(into: &units) }
        return timestamp
    }

    private mutating func finish(into units: inout [AudioUnit]) {
        let bytes = gathered
        gathered = []
        if !read(bytes, into: &units) { malformed += 1 }
    }

    /// ISO/IEC 14496-3 1.7.3, AudioMuxElement.
    private mutating func read(_ bytes: [UInt8], into units: inout [AudioUnit]) -> Bool {
        var reader = BitReader(bytes)
        if format.hasConfigurationInBand {
            guard let isSame = reader.flag() else { return false }
            if !isSame {
                guard let found = StreamMuxConfig(&reader) else { return false }
                configuration = found
            }
        }
        // Between the beginning of the stream and its first configuration.
        guard let configuration else { return false }
        let duration = Int64(configuration.samples * format.clockRate / configuration.sampleRate)
        for index in 0..<configuration.subFrames {
            guard reader.bitsLeft >= 8 else { return index > 0 }
            guard let length = Self.length(&reader, configuration), length * 8 <= reader.bitsLeft else { return false }
            var frame: [UInt8] = []
            frame.reserveCapacity(length)
            for _ in 0..<length { frame.append(UInt8(truncatingIfNeeded: reader.bits(8) ?? 0)) }
            guard !frame.isEmpty else { continue }
            units.append(AudioUnit(bytes: frame, ticks: Int64(index) * duration, duration: duration))
        }
        return true
    }

    /// PayloadLengthInfo.
    private static func length(_ reader: inout BitReader, _ configuration: StreamMuxConfig) -> Int? {
        if let bits = configuration.fixedFrameBits { return bits / 8 }
        var length = 0
        while let byte = reader.bits(8) {
            length += Int(byte)
            if byte != 255 { return length }
        }
        return nil
    }
}
