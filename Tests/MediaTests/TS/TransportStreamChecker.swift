import Wire

/// Reads a transport stream as ISO/IEC 13818-1 and TR 101 290 have it, and says what is wrong with it. It knows nothing of the
/// muxer.
struct TransportStreamChecker {
    enum Fault: Hashable {
        case size
        case sync
        case adaptation
        case continuity
        case checksum
        case section
        case version
        case unknownPID
        case lateTables
        case clockPID
        case clockInterval
        case clockOrder
        case clockAfterDecoding
        case clockTooEarly
        case decodingOrder
        case presentation
        case packetLength
        case packetHeader
        case randomAccess
    }

    /// A PES packet.
    struct Unit {
        var pid: Int
        var streamID: UInt8
        /// 33 bits.
        var pts: Int64
        var dts: Int64
        var hasDTS: Bool
        var isAligned: Bool
        var isRandomAccess: Bool
        /// In the packet that it begins in.
        var pcr: Int64?
        var declaredLength: Int
        var payload: [UInt8] = []
        var packetIndex: Int
    }

    struct Stream: Equatable {
        var type: UInt8
        var descriptors: [UInt8]
    }

    struct Map: Equatable {
        var version: UInt8
        var clockPID: Int
        var streams: [Int: Stream]
        var packetIndex: Int
    }

    private(set) var faults: Set<Fault> = []
    private(set) var units: [Unit] = []
    /// Every map that differs from the one before.
    private(set) var maps: [Map] = []
    private(set) var tableIndices: [Int] = []
    private(set) var pcrs: [Int64] = []
    private(set) var discontinuities = 0
    private(set) var packetCount = 0

    private var counters: [Int: UInt8] = [:]
    private var open: [Int: Unit] = [:]
    private var mapPID: Int?
    /// The clock when a table came; and those that came before there was one.
    private var tableClock: [Int: Int64] = [:]
    private var untimedTables: Set<Int> = []
    private var lastDecoding: [Int: Int64] = [:]
    private var bytes: [UInt8]

    static let wrap: Int64 = 1 << 33

    /// The way from one 33-bit time to another: -2^32..<2^32.
    static func way(_ from: Int64, _ to: Int64) -> Int64 {
        let distance = (to - from) & (wrap - 1)
        return distance >= wrap / 2 ? distance - wrap : distance
    }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.count % 188 != 0 { faults.insert(.size) }
        for start in stride(from: 0, through: bytes.count - 188, by: 188) {
            readPacket(at: start)
            packetCount += 1
        }
        for pid in open.keys.sorted() { close(pid) }
        self.bytes = []
    }

    func units(of pid: Int) -> [Unit] { units.filter { $0.pid == pid } }

    private mutating func readPacket(at start: Int) {
        guard bytes[start] == 0x47, bytes[start + 1] & 0x80 == 0 else {
            faults.insert(.sync)
            return
        }
        let begins = bytes[start + 1] & 0x40 != 0
        let pid = Int(bytes[start + 1] & 0x1F) << 8 | Int(bytes[start + 2])
        let control = bytes[start + 3] >> 4 & 3
        if bytes[start + 3] >> 6 != 0 || control == 0 { faults.insert(.adaptation) }
        var field = Field()
        var at = start + 4
        if control & 2 != 0 {
            let length = Int(bytes[at])
            if control == 2 ? length != 183 : length > 182 {
                faults.insert(.adaptation)
                return
            }
            field = readField(at + 1..<at + 1 + length)
            at += 1 + length
        }
        count(pid, bytes[start + 3] & 0x0F, hasPayload: control & 1 != 0)
        if let pcr = field.pcr { tick(pcr, pid, isDiscontinuity: field.isDiscontinuity) }
        if field.isRandomAccess, !begins || (pid == maps.last?.clockPID && field.pcr == nil) {
            faults.insert(.randomAccess)
        }
        guard control & 1 != 0 else { return }
        if pid == 0 || pid == mapPID {
            readSection(pid, begins, at..<start + 188)
        } else if maps.last?.streams[pid] != nil {
            readPES(pid, begins, field, at..<start + 188)
        } else {
            faults.insert(.unknownPID)
        }
    }

    private struct Field {
        var pcr: Int64?
        var isRandomAccess = false
        var isDiscontinuity = false
    }

    private mutating func readField(_ range: Range<Int>) -> Field {
        var field = Field()
        guard let first = range.first else { return field }
        let flags = bytes[first]
        field.isDiscontinuity = flags & 0x80 != 0
        field.isRandomAccess = flags & 0x40 != 0
        var at = first + 1
        // Nothing but a PCR is expected here.
        if flags & 0x2F != 0 { faults.insert(.adaptation) }
        if flags & 0x10 != 0 {
            guard range.upperBound - at >= 6 else {
                faults.insert(.adaptation)
                return field
            }
            let base = bytes[at..<at + 5].reduce(0 as Int64) { $0 << 8 | Int64($1) } >> 7
            if bytes[at + 4] & 0x7E != 0x7E || bytes[at + 4] & 1 != 0 || bytes[at + 5] != 0 {
                faults.insert(.adaptation)
            }
            field.pcr = base
            at += 6
        }
        if bytes[at..<range.upperBound].contains(where: { $0 != 0xFF }) { faults.insert(.adaptation) }
        return field
    }

    private mutating func count(_ pid: Int, _ counter: UInt8, hasPayload: Bool) {
        if let last = counters[pid], counter != (hasPayload ? (last + 1) & 0x0F : last) { faults.insert(.continuity) }
        counters[pid] = counter
    }

    private mutating func tick(_ pcr: Int64, _ pid: Int, isDiscontinuity: Bool) {
        if pid != maps.last?.clockPID { faults.insert(.clockPID) }
        if isDiscontinuity {
            discontinuities += 1
            lastDecoding = [:]
            tableClock = tableClock.mapValues { _ in pcr }
        } else if let last = pcrs.last {
            let step = Self.way(last, pcr)
            if step <= 0 { faults.insert(.clockOrder) }
            if step > 3600 { faults.insert(.clockInterval) }
        }
        pcrs.append(pcr)
        for pid in untimedTables { tableClock[pid] = pcr }
        untimedTables = []
        for since in tableClock.values where Self.way(since, pcr) > 45_000 { faults.insert(.lateTables) }
    }

    private mutating func readSection(_ pid: Int, _ begins: Bool, _ range: Range<Int>) {
        let at = range.lowerBound + 1
        let length = Int(bytes[at + 1] & 0x0F) << 8 | Int(bytes[at + 2])
        let end = at + 3 + length
        guard begins, bytes[at - 1] == 0, bytes[at + 1] & 0xF0 == 0xB0, length >= 9, end <= range.upperBound else {
            faults.insert(.section)
            return
        }
        if Self.checksum(bytes[at..<end]) != 0 {
            faults.insert(.checksum)
            return
        }
        if bytes[end..<range.upperBound].contains(where: { $0 != 0xFF }) { faults.insert(.section) }
        tableIndices.append(packetCount)
        tableClock[pid] = pcrs.last
        if pcrs.isEmpty { untimedTables.insert(pid) }
        guard bytes[at + 5] & 1 == 1, bytes[at] == (pid == 0 ? 0 : 2) else {
            faults.insert(.section)
            return
        }
        let body = at + 8..<end - 4
        if pid == 0 {
            let id = Int(bytes[body.lowerBound + 2] & 0x1F) << 8 | Int(bytes[body.lowerBound + 3])
            if body.count != 4 || (mapPID != nil && mapPID != id) { faults.insert(.section) }
            mapPID = id
        } else {
            readMap(version: bytes[at + 5] >> 1 & 0x1F, body)
        }
    }

    private mutating func readMap(version: UInt8, _ body: Range<Int>) {
        let clock = Int(bytes[body.lowerBound] & 0x1F) << 8 | Int(bytes[body.lowerBound + 1])
        var map = Map(version: version, clockPID: clock, streams: [:], packetIndex: packetCount)
        var at = body.lowerBound + 4 + Int(bytes[body.lowerBound + 3])
        while at + 5 <= body.upperBound {
            let length = Int(bytes[at + 3] & 0x0F) << 8 | Int(bytes[at + 4])
            guard at + 5 + length <= body.upperBound else { break }
            let pid = Int(bytes[at + 1] & 0x1F) << 8 | Int(bytes[at + 2])
            map.streams[pid] = Stream(type: bytes[at], descriptors: Array(bytes[at + 5..<at + 5 + length]))
            at += 5 + length
        }
        if at != body.upperBound { faults.insert(.section) }
        if let last = maps.last {
            let isSame = last.streams == map.streams && last.clockPID == map.clockPID
            // A decoder looks at a map again when the version has changed, and only then.
            if map.version != (isSame ? last.version : (last.version + 1) & 0x1F) { faults.insert(.version) }
            guard !isSame else { return }
        }
        for pid in open.keys.sorted() { close(pid) }
        maps.append(map)
    }

    private mutating func readPES(_ pid: Int, _ begins: Bool, _ field: Field, _ range: Range<Int>) {
        guard begins else {
            open[pid]?.payload.append(contentsOf: bytes[range])
            return
        }
        close(pid)
        let at = range.lowerBound
        guard range.count >= 14, bytes[at..<at + 3].elementsEqual([0, 0, 1]), bytes[at + 6] & 0xF3 == 0x80,
            bytes[at + 7] == 0x80 || bytes[at + 7] == 0xC0, let pts = time(at: at + 9)
        else {
            faults.insert(.packetHeader)
            return
        }
        let hasDTS = bytes[at + 7] == 0xC0
        let headerLength = hasDTS ? 10 : 5
        let dts = hasDTS ? time(at: at + 14) : pts
        let marks = [bytes[at + 9] >> 4, hasDTS ? bytes[at + 14] >> 4 : 1]
        guard let dts, bytes[at + 8] == headerLength, marks == [hasDTS ? 3 : 2, 1] else {
            faults.insert(.packetHeader)
            return
        }
        if Self.way(dts, pts) < 0 || (hasDTS && dts == pts) { faults.insert(.presentation) }
        if let pcr = pcrs.last {
            let lead = Self.way(pcr, dts)
            if lead <= 0 { faults.insert(.clockAfterDecoding) }
            if lead > 90_000 { faults.insert(.clockTooEarly) }
        } else {
            faults.insert(.clockTooEarly)
        }
        if let last = lastDecoding[pid], Self.way(last, dts) <= 0 { faults.insert(.decodingOrder) }
        lastDecoding[pid] = dts
        open[pid] = Unit(
            pid: pid,
            streamID: bytes[at + 3],
            pts: pts,
            dts: dts,
            hasDTS: hasDTS,
            isAligned: bytes[at + 6] & 4 != 0,
            isRandomAccess: field.isRandomAccess,
            pcr: field.pcr,
            declaredLength: Int(bytes[at + 4]) << 8 | Int(bytes[at + 5]),
            payload: Array(bytes[at + 9 + headerLength..<range.upperBound]),
            packetIndex: packetCount
        )
    }

    private mutating func close(_ pid: Int) {
        guard let unit = open.removeValue(forKey: pid) else { return }
        let length = unit.payload.count + 3 + (unit.hasDTS ? 10 : 5)
        let isVideo = unit.streamID == 0xE0
        if unit.declaredLength != length, !(isVideo && unit.declaredLength == 0 && length > 0xFFFF) {
            faults.insert(.packetLength)
        }
        units.append(unit)
    }

    /// Nil when a marker bit is missing.
    private func time(at: Int) -> Int64? {
        guard bytes[at] & 1 == 1, bytes[at + 2] & 1 == 1, bytes[at + 4] & 1 == 1 else { return nil }
        let high = Int64(bytes[at] >> 1 & 7) << 30
        let middle = (Int64(bytes[at + 1]) << 8 | Int64(bytes[at + 2])) >> 1
        let low = (Int64(bytes[at + 3]) << 8 | Int64(bytes[at + 4])) >> 1
        return high | middle << 15 | low
    }

    /// 0 over a section with its checksum.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            for bit in (0..<8).reversed() {
                let feedback = (crc >> 31) ^ UInt32(byte >> UInt8(bit) & 1)
                crc = crc << 1 ^ (feedback == 1 ? 0x04C1_1DB7 : 0)
            }
        }
        return crc
    }
}
