import NIOCore

/// PAT and PMT of one program, each a section in one packet.
struct TSTables: Sendable {
    static let mapID: UInt16 = 0x1000
    static let videoID: UInt16 = 0x100
    static let audioID: UInt16 = 0x101
    /// 13 bits of ones: no PCR.
    private static let nullID: UInt16 = 0x1FFF

    private(set) var video: TSElementaryStream?
    private(set) var audio: TSElementaryStream?
    private var version: UInt8 = 0
    /// What receivers know.
    private var written: (video: TSElementaryStream?, audio: TSElementaryStream?, version: UInt8)?
    private var association: [UInt8]
    private var map: [UInt8]
    private var associationCounter: UInt8 = 0
    private var mapCounter: UInt8 = 0

    init() {
        association = Self.packet(
            id: 0,
            table: 0x00,
            number: 1,
            version: 0,
            body: [0, 1, 0xE0 | UInt8(Self.mapID >> 8), UInt8(Self.mapID & 0xFF)]
        )
        map = []
        rebuild()
    }

    /// The packets with the PCR.
    var clockID: UInt16 { video != nil ? Self.videoID : Self.audioID }

    /// Takes the streams of the program; the version goes up when a receiver has seen others.
    mutating func set(video: TSElementaryStream?, audio: TSElementaryStream?) {
        guard video != self.video || audio != self.audio else { return }
        self.video = video
        self.audio = audio
        if let written { version = isCurrent ? written.version : (written.version &+ 1) & 0x1F }
        rebuild()
    }

    mutating func write(into bytes: inout ByteBuffer) {
        Self.write(association, counter: &associationCounter, into: &bytes)
        Self.write(map, counter: &mapCounter, into: &bytes)
        written = (video, audio, version)
    }

    /// Whether receivers know the streams as they are now.
    var isCurrent: Bool { written.map { $0.video == video && $0.audio == audio } ?? false }

    private static func write(_ packet: [UInt8], counter: inout UInt8, into bytes: inout ByteBuffer) {
        let at = bytes.writerIndex
        bytes.writeBytes(packet)
        bytes.setInteger(0x10 | counter, at: at &+ 3)
        counter = (counter &+ 1) & 0x0F
    }

    /// ISO/IEC 13818-1 2.4.4.8.
    private mutating func rebuild() {
        let clock = video == nil && audio == nil ? Self.nullID : clockID
        var body: [UInt8] = [0xE0 | UInt8(clock >> 8), UInt8(clock & 0xFF), 0xF0, 0]
        for (stream, id) in [(video, Self.videoID), (audio, Self.audioID)] {
            guard let stream else { continue }
            body += [stream.type, 0xE0 | UInt8(id >> 8), UInt8(id & 0xFF), 0xF0, UInt8(stream.descriptors.count)]
            body += stream.descriptors
        }
        map = Self.packet(id: Self.mapID, table: 0x02, number: 1, version: version, body: body)
    }

    /// A section of the long form (2.4.4.10) in a packet, filled up with 0xFF.
    private static func packet(id: UInt16, table: UInt8, number: UInt16, version: UInt8, body: [UInt8]) -> [UInt8] {
        var section: [UInt8] = [table, 0xB0, UInt8(truncatingIfNeeded: body.count &+ 9)]
        section += [UInt8(number >> 8), UInt8(number & 0xFF), 0xC1 | version << 1, 0, 0]
        section += body
        let crc = crc32(section)
        for shift in [24, 16, 8, 0] { section.append(UInt8(crc >> UInt32(shift) & 0xFF)) }
        let packet = [0x47, 0x40 | UInt8(id >> 8), UInt8(id & 0xFF), 0x10, 0] + section
        return packet + [UInt8](repeating: 0xFF, count: max(TSPacket.length - packet.count, 0))
    }

    /// CRC-32/MPEG-2, ISO/IEC 13818-1 annex A.
    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte) << 24
            for _ in 0..<8 { crc = crc & 0x8000_0000 == 0 ? crc << 1 : crc << 1 ^ 0x04C1_1DB7 }
        }
        return crc
    }
}
