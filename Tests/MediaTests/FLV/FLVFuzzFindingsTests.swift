import NIOCore
import Testing

@testable import Media

@Suite struct FLVFuzzFindingsTests {
    /// The stream was announced, and each of its frames dropped for want of a sequence header.
    @Test func setsOfWhichNoRecordCanBeMadeAreMalformed() {
        let vps = hex("40010c01ffff01600000030090000003000003001e959809")
        // As the fuzzer made it: the size is none.
        let sps = hex("42010101600000030090000003000003001e0020810596566924caf0168000000003008000000504")
        let pps = hex("4401c172b42240")
        var record: [UInt8] = [1] + [UInt8](repeating: 0, count: 20) + [3, 3]
        for (type, unit) in [(UInt8(32), vps), (33, sps), (34, pps)] {
            record += [type, 0, 1, UInt8(unit.count >> 8), UInt8(unit.count & 0xFF)] + unit
        }
        #expect(DecoderConfiguration(.h265, ByteBuffer(bytes: record).readableBytesSpan)?.parameters.isComplete == true)
        let body = ByteBuffer(bytes: [0x1C, 0, 0, 0, 0] + record)
        var unpackager = FLVUnpackager()
        var events: [MediaEvent] = []
        unpackager.receive(FLVMessage(kind: .video, timestamp: 0, body: body), into: &events)
        #expect(events.isEmpty)
        #expect(unpackager.statistics.malformed == 1)
    }

    private func hex(_ text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
