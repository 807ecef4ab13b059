import NIOCore
import Testing

@testable import Media

/// The judge of the other tests is shown broken streams.
@Suite("Transport stream: the checker finds what is broken")
struct TransportStreamCheckerTests {
    private static let good: [[UInt8]] = {
        var events: [MediaEvent] = [.video(Synthetic.h264), .audio(Synthetic.g711)]
        for index in 0..<30 as Range<Int64> {
            events.append(TSSamples.picture(index * 9000, isKey: index == 0, delay: 3600))
            events.append(TSSamples.sound(index * 9000, size: 800))
        }
        let bytes = TSSamples.muxed(events)
        return stride(from: 0, to: bytes.count, by: 188).map { Array(bytes[$0..<$0 + 188]) }
    }()

    private static func faults(_ change: (inout [[UInt8]]) -> Void) -> Set<TransportStreamChecker.Fault> {
        var packets = good
        change(&packets)
        return TransportStreamChecker(packets.flatMap { $0 }).faults
    }

    private static func isVideo(_ packet: [UInt8]) -> Bool { packet[1] & 0x1F == 1 && packet[2] == 0 }
    private static func begins(_ packet: [UInt8]) -> Bool { packet[1] & 0x40 != 0 }
    private static func isMap(_ packet: [UInt8]) -> Bool { packet[1] & 0x1F == 0x10 && packet[2] == 0 }
    private static func isClock(_ packet: [UInt8]) -> Bool { packet[3] & 0x30 == 0x20 }
    /// Where the PES packet begins.
    private static func payload(_ packet: [UInt8]) -> Int { packet[3] & 0x20 == 0 ? 4 : 5 + Int(packet[4]) }

    private static func last(_ packets: [[UInt8]], _ matches: ([UInt8]) -> Bool) throws -> Int {
        let index = packets.lastIndex(where: matches)
        return try #require(index)
    }

    @Test("nothing, in a good stream")
    func good() {
        #expect(Self.faults { _ in } == [])
    }

    @Test("a packet that is lost, doubled, or out of its place")
    func continuity() throws {
        // Not the very last: who would miss it?
        let packets = Array(Self.good.dropLast(20))
        let at = try Self.last(packets) { Self.isVideo($0) && !Self.begins($0) && !Self.isClock($0) }
        #expect(Self.faults { $0.remove(at: at) }.contains(.continuity))
        #expect(Self.faults { $0.insert($0[at], at: at) }.contains(.continuity))
        #expect(Self.faults { $0.swapAt(at, at - 1) }.contains(.continuity))
        let clock = try Self.last(Self.good, Self.isClock)
        #expect(Self.faults { $0[clock][3] ^= 1 }.contains(.continuity))
    }

    @Test("bytes missing, and a sync byte that is none")
    func framing() {
        #expect(TransportStreamChecker(Array(Self.good.joined().dropLast(5))).faults.contains(.size))
        #expect(Self.faults { $0[9][0] = 0x48 }.contains(.sync))
    }

    @Test("adaptation fields of a wrong length, with wrong stuffing or reserved bits")
    func adaptation() throws {
        let clock = try Self.last(Self.good, Self.isClock)
        #expect(Self.faults { $0[clock][4] = 182 }.contains(.adaptation))
        #expect(Self.faults { $0[clock][100] = 0 }.contains(.adaptation))
        #expect(Self.faults { $0[clock][10] = 0 }.contains(.adaptation))
        #expect(Self.faults { $0[clock][3] &= 0xCF }.contains(.adaptation))
        let stuffed = try Self.last(Self.good) { $0[3] & 0x30 == 0x30 && $0[4] > 20 }
        #expect(Self.faults { $0[stuffed][4] = 183 }.contains(.adaptation))
    }

    @Test("a field that is one byte too long takes one of the payload")
    func shiftedPayload() throws {
        let stuffed = try Self.last(Self.good) { !Self.begins($0) && $0[3] & 0x30 == 0x30 && $0[4] > 20 }
        #expect(!Self.faults { $0[stuffed][4] += 1 }.isDisjoint(with: [.adaptation, .packetLength]))
        #expect(!Self.faults { $0[stuffed][4] -= 1 }.isDisjoint(with: [.adaptation, .packetLength]))
    }

    @Test("tables with a wrong checksum, version or length, and tables that are late")
    func tables() throws {
        let map = try Self.last(Self.good, Self.isMap)
        #expect(Self.faults { $0[map][20] ^= 1 }.contains(.checksum))
        #expect(Self.faults { $0[0][8] ^= 1 }.contains(.checksum))
        #expect(Self.faults { $0[map][7] = 200 }.contains(.section))
        #expect(Self.faults { Self.repair(&$0[map]) { $0[10] ^= 0x02 } }.contains(.version))
        // The type of a stream changes, and the version does not.
        #expect(Self.faults { Self.repair(&$0[map]) { $0[17] = 0x24 } }.contains(.version))
        #expect(Self.faults { $0 = $0.prefix(2) + $0.dropFirst(2).filter { !Self.isMap($0) } }.contains(.lateTables))
        #expect(Self.faults { $0 = $0.filter { !Self.isMap($0) } }.contains(.unknownPID))
        let sound = try Self.last(Self.good) { $0[2] == 1 }
        #expect(Self.faults { $0[sound][2] = 2 }.contains(.unknownPID))
    }

    /// A change with a new checksum.
    private static func repair(_ packet: inout [UInt8], _ change: (inout [UInt8]) -> Void) {
        change(&packet)
        let end = 8 + Int(packet[7])
        let crc = TransportStreamChecker.checksum(packet[5..<end - 4])
        for byte in 0..<4 { packet[end - 4 + byte] = UInt8(crc >> UInt32(24 - 8 * byte) & 0xFF) }
    }

    @Test("PCRs that are missing, go back, come too late or on another PID")
    func clock() throws {
        let clock = try Self.last(Self.good, Self.isClock)
        #expect(Self.faults { $0.remove(at: clock) }.contains(.clockInterval))
        #expect(Self.faults { $0[clock][7] &-= 1 }.contains(.clockOrder))
        #expect(Self.faults { $0[clock][2] = 1 }.contains(.clockPID))
        // Half a second and more ahead: the picture comes after it should have been decoded.
        let picture = try Self.last(Self.good) { Self.isVideo($0) && Self.begins($0) }
        #expect(Self.faults { $0[picture][7] &+= 1 }.contains(.clockAfterDecoding))
        #expect(Self.faults { $0[picture][7] &-= 1 }.contains(.clockTooEarly))
    }

    @Test("times in the wrong order, and headers that are none")
    func times() throws {
        let picture = try Self.last(Self.good) { Self.isVideo($0) && Self.begins($0) }
        let at = Self.payload(Self.good[picture])
        // PTS and DTS change places.
        #expect(
            Self.faults {
                for byte in 0..<5 { $0[picture].swapAt(at + 9 + byte, at + 14 + byte) }
                $0[picture][at + 9] ^= 0x20
                $0[picture][at + 14] ^= 0x20
            }.contains(.presentation)
        )
        #expect(Self.faults { $0[picture][at + 16] &-= 4 }.contains(.decodingOrder))
        #expect(Self.faults { $0[picture][at + 5] ^= 1 }.contains(.packetLength))
        #expect(Self.faults { $0[picture][at + 13] ^= 1 }.contains(.packetHeader))
        #expect(Self.faults { $0[picture][at + 2] = 0 }.contains(.packetHeader))
        #expect(Self.faults { $0[picture][at + 8] = 5 }.contains(.packetHeader))
        let other = try Self.last(Self.good) { Self.isVideo($0) && !Self.begins($0) && $0[3] & 0x20 != 0 }
        #expect(Self.faults { $0[other][5] |= 0x40 }.contains(.randomAccess))
    }
}
