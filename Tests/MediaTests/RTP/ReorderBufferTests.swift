import NIOCore
import Testing

@testable import Media

/// Runs sequence numbers through a buffer and writes down what comes out.
private struct Line {
    var buffer = ReorderBuffer()
    var log: [String] = []

    mutating func give(_ number: Int, at milliseconds: Int = 0) {
        let number = UInt16(truncatingIfNeeded: number)
        let packet: [UInt8] = [UInt8(number >> 8), UInt8(number & 0xFF)]
        let verdict = packet.withSpan { buffer.receive(number, $0, now: .milliseconds(milliseconds)) }
        if case .pass(let gap) = verdict {
            if let gap { note(gap) }
            log.append("\(number)")
        }
        drain()
    }

    mutating func advance(to milliseconds: Int) {
        buffer.advance(to: .milliseconds(milliseconds))
        drain()
    }

    private mutating func note(_ gap: ReorderBuffer.Break) {
        switch gap {
        case .gap(let count): log.append("gap \(count)")
        case .restart: log.append("restart")
        }
    }

    private mutating func drain() {
        while let output = buffer.next() {
            switch output {
            case .packet(let bytes): log.append("\(Int(bytes[0]) << 8 | Int(bytes[1]))")
            case .broken(let gap): note(gap)
            }
        }
    }
}

@Suite struct ReorderBufferTests {
    @Test func passesOrderedPacketsAcrossTheWrap() {
        var line = Line()
        for number in 65_530...65_545 { line.give(number) }
        #expect(line.log == (65_530...65_545).map { "\($0 % 65_536)" })
        #expect(line.buffer.deadline == nil)
        #expect(line.buffer.statistics == .init())
    }

    @Test func sortsAcrossTheWrap() {
        var line = Line()
        for number in [65_534, 0, 65_535, 2, 1, 3] { line.give(number) }
        #expect(line.log == ["65534", "65535", "0", "1", "2", "3"])
        #expect(line.buffer.statistics.reordered == 2)
        #expect(line.buffer.statistics.lost == 0)
        #expect(line.buffer.deadline == nil)
    }

    @Test func waits200MillisecondsForAGapAndThenNamesIt() {
        var line = Line()
        line.give(1)
        line.give(4, at: 10)
        line.give(5, at: 20)
        #expect(line.log == ["1"])
        #expect(line.buffer.deadline == .milliseconds(210))
        line.advance(to: 209)
        #expect(line.log == ["1"])
        line.advance(to: 210)
        #expect(line.log == ["1", "gap 2", "4", "5"])
        line.give(2, at: 211)
        #expect(line.log.count == 4)
        #expect(line.buffer.statistics.lost == 2)
        #expect(line.buffer.statistics.late == 1)
        #expect(line.buffer.statistics.duplicates == 0)
    }

    @Test func dropsDuplicatesOfWhatWasUsedAndOfWhatWaits() {
        var line = Line()
        for number in [1, 2, 2, 1, 4, 4, 3] { line.give(number) }
        #expect(line.log == ["1", "2", "3", "4"])
        #expect(line.buffer.statistics.duplicates == 3)
    }

    @Test func countsTwoGapsOneAfterTheOther() {
        var line = Line()
        for number in [1, 3, 6] { line.give(number) }
        line.advance(to: 200)
        #expect(line.log == ["1", "gap 1", "3", "gap 2", "6"])
        #expect(line.buffer.statistics.gaps == 2)
        #expect(line.buffer.statistics.lost == 3)
    }

    @Test func neverWaitsBeyond512Packets() {
        var line = Line()
        line.give(0)
        for number in 2...600 { line.give(number) }
        #expect(line.log.prefix(3) == ["0", "gap 1", "2"])
        #expect(line.log.last == "600")
        #expect(line.log.count == 601)
    }

    @Test func restartsAfterABigJumpOnceItIsConfirmed() {
        var line = Line()
        line.give(100)
        line.give(40_000)
        #expect(line.log == ["100"])
        line.give(101)
        #expect(line.log == ["100", "101"])
        line.give(50_000)
        line.give(50_001)
        #expect(line.log == ["100", "101", "restart", "50000", "50001"])
        #expect(line.buffer.statistics.restarts == 1)
    }

    @Test func restartsWhenACameraBeginsAnewALittleLower() {
        var line = Line()
        for number in 300...310 { line.give(number) }
        for number in 0...20 { line.give(number) }
        #expect(line.log.contains("restart"))
        #expect(line.log.last == "20")
    }

    @Test func doesNotWaitOverTCP() {
        var line = Line(buffer: ReorderBuffer(wait: .zero))
        for number in [1, 2, 5, 6] { line.give(number) }
        #expect(line.log == ["1", "2", "gap 2", "5", "6"])
    }

    @Test func followsARestartOverTCPAtOnce() {
        var line = Line(buffer: ReorderBuffer(wait: .zero))
        for number in 100..<120 { line.give(number) }
        line.give(0)
        line.give(1)
        #expect(line.log.suffix(4) == ["119", "restart", "0", "1"])
    }

    @Test(arguments: 0..<50)
    func givesEachPacketOnceAndInOrderWhateverHappens(seed: Int) {
        var noise = Noise(state: UInt64(seed))
        var line = Line()
        var numbers = Array(65_000..<67_000)
        for index in numbers.indices.dropLast(20).dropFirst() where Bool.random(using: &noise) {
            numbers.swapAt(index, index + Int.random(in: 0..<20, using: &noise))
        }
        let dropped = Set((0..<30).map { _ in Int.random(in: 65_001..<66_999, using: &noise) })
        numbers.removeAll { dropped.contains($0) }
        for (index, number) in numbers.enumerated() {
            line.give(number, at: index)
            if Int.random(in: 0..<20, using: &noise) == 0 { line.give(number, at: index) }
            line.advance(to: index)
        }
        line.advance(to: 100_000)
        let given = line.log.compactMap(Int.init).map { $0 < 60_000 ? $0 + 65_536 : $0 }
        #expect(given == given.sorted())
        #expect(Set(given).count == given.count)
        #expect(given.count + line.buffer.statistics.lost == 2000)
        #expect(Set(given).isDisjoint(with: dropped))
    }
}
