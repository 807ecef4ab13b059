import NIOCore
import Wire

/// How AAC lies in RTP (RFC 3640), from the format parameters.
struct AACFormat: Hashable, Sendable {
    var configuration: [UInt8]
    var sizeLength: Int
    var indexLength: Int
    var indexDeltaLength: Int
    var timeDeltaLengths: (composition: Int, decoding: Int)
    var hasRandomAccess: Bool
    var streamStateLength: Int
    var auxiliaryLength: Int
    /// RTP ticks of one frame.
    var frameTicks: Int64

    /// Nil without what is mandatory: the config, and the length of the sizes.
    init?(_ format: RTPFormat) {
        let parameters = format.parameters
        let mode = parameters["mode"]?.lowercased() ?? ""
        guard mode.isEmpty || mode.hasPrefix("aac-") || mode.hasPrefix("aac_"),
            let configuration = parameters.bytes("config"),
            let parsed = AudioSpecificConfig(configuration), parsed.sampleRate > 0,
            let sizeLength = parameters.number("sizelength", upTo: 32), sizeLength > 0
        else { return nil }
        self.configuration = configuration
        self.sizeLength = sizeLength
        indexLength = parameters.number("indexlength", upTo: 32) ?? 0
        indexDeltaLength = parameters.number("indexdeltalength", upTo: 32) ?? 0
        timeDeltaLengths = (
            parameters.number("ctsdeltalength", upTo: 32) ?? 0, parameters.number("dtsdeltalength", upTo: 32) ?? 0
        )
        hasRandomAccess = parameters["randomaccessindication"] == "1"
        streamStateLength = parameters.number("streamstateindication", upTo: 32) ?? 0
        auxiliaryLength = parameters.number("auxiliarydatasizelength", upTo: 32) ?? 0
        // HE-AAC: a frame has 1024 samples of the core, and the RTP clock may be that of the output.
        frameTicks = Int64(1024 * format.clockRate / parsed.sampleRate)
    }

    static func == (left: Self, right: Self) -> Bool {
        left.configuration == right.configuration && left.sizeLength == right.sizeLength
            && left.indexLength == right.indexLength && left.indexDeltaLength == right.indexDeltaLength
            && left.timeDeltaLengths == right.timeDeltaLengths && left.frameTicks == right.frameTicks
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(configuration)
    }
}

/// Takes AAC out of RTP in the modes AAC-hbr and AAC-lbr of RFC 3640.
struct AACDepacketizer: Sendable {
    private static let mostUnits = 256
    private static let largestUnit = 1 << 16

    private let format: AACFormat
    private var fragment: (timestamp: UInt32, size: Int, bytes: [UInt8])?
    private(set) var malformed = 0

    init(_ format: AACFormat) {
        self.format = format
    }

    mutating func discontinuity() {
        fragment = nil
    }

    /// Appends the frames of a packet, each with the RTP ticks by which it is later than the packet's timestamp.
    mutating func receive(_ payload: RawSpan, timestamp: UInt32, into units: inout [AudioUnit]) {
        guard let bits = payload.uint16(at: 0) else {
            malformed += 1
            return
        }
        var at = 2 + (Int(bits) + 7) / 8
        guard bits > 0, at <= payload.byteCount, let headers = headers(payload.array(2..<at), bits: Int(bits)) else {
            malformed += 1
            return
        }
        if format.auxiliaryLength > 0 {
            var reader = BitReader(payload.array(at..<min(at + 8, payload.byteCount)))
            guard let length = reader.bits(format.auxiliaryLength) else {
                malformed += 1
                return
            }
            at = min(at + (format.auxiliaryLength + Int(length) + 7) / 8, payload.byteCount)
        }
        if let size = headers.first?.size, headers.count == 1, size > payload.byteCount - at {
            gather(payload.extracting(at..<payload.byteCount), size: size, timestamp: timestamp, into: &units)
            return
        }
        fragment = nil
        for header in headers {
            guard header.size <= payload.byteCount - at else {
                malformed += 1
                return
            }
            add(payload.array(at..<at + header.size), ticks: header.index * format.frameTicks, into: &units)
            at += header.size
        }
    }

    /// RFC 3640 3.2.1.1.
    private func headers(_ bytes: [UInt8], bits count: Int) -> [(size: Int, index: Int64)]? {
        var reader = BitReader(bytes)
        var headers: [(size: Int, index: Int64)] = []
        var index: Int64 = 0
        while reader.position < count, headers.count < Self.mostUnits {
            let length = headers.isEmpty ? format.indexLength : format.indexDeltaLength
            // A last incomplete header is padding.
            guard let size = reader.bits(format.sizeLength), let delta = reader.bits(length), skipRest(&reader) else {
                break
            }
            // The first index counts frames for interleaving, and is 0 without.
            if !headers.isEmpty { index += Int64(min(delta, 64)) + 1 }
            headers.append((Int(size), index))
        }
        return headers.isEmpty ? nil : headers
    }

    private func skipRest(_ reader: inout BitReader) -> Bool {
        for length in [format.timeDeltaLengths.composition, format.timeDeltaLengths.decoding] where length > 0 {
            guard let isThere = reader.flag(), reader.skip(isThere ? length : 0) else { return false }
        }
        return reader.skip((format.hasRandomAccess ? 1 : 0) + format.streamStateLength)
    }

    /// A frame over several packets: each tells the size of the whole.
    private mutating func gather(_ part: RawSpan, size: Int, timestamp: UInt32, into units: inout [AudioUnit]) {
        guard size <= Self.largestUnit else {
            malformed += 1
            return
        }
        if fragment?.timestamp != timestamp || fragment?.size != size {
            if fragment != nil { malformed += 1 }
            fragment = (timestamp, size, [])
        }
        fragment?.bytes.append(part)
        guard let gathered = fragment, gathered.bytes.count >= size else { return }
        fragment = nil
        add(Array(gathered.bytes.prefix(size)), ticks: 0, into: &units)
    }

    private func add(_ bytes: [UInt8], ticks: Int64, into units: inout [AudioUnit]) {
        guard !bytes.isEmpty else { return }
        var bytes = bytes
        // Some cameras leave their ADTS header before the frame.
        if let header = bytes.withSpan({ ADTSHeader($0) }), header.frameLength == bytes.count {
            bytes.removeFirst(header.headerLength)
            guard !bytes.isEmpty else { return }
        }
        units.append(AudioUnit(bytes: bytes, ticks: ticks, duration: format.frameTicks))
    }
}

/// One frame of sound out of a packet.
struct AudioUnit: Equatable, Sendable {
    var bytes: [UInt8]
    /// After the packet's timestamp.
    var ticks: Int64
    /// RTP ticks.
    var duration: Int64
}
