import Testing

/// The judge of runs, on streams that are not right.
@Suite struct RunJudgeTests {
    private static let source = {
        var source = Recording()
        source.pictures = (0..<75).map { FrameListing.Entry(dts: $0 * 40, pts: $0 * 40, hash: "p\($0)") }
        source.packets.audio = (0..<130).map { FrameListing.Entry(dts: $0 * 20, pts: 200 + $0 * 20, hash: "a\($0)") }
        return source
    }()

    private static func faults(isLate: Bool = false, _ change: (inout Recording) -> Void) -> [String] {
        var found = source
        change(&found)
        return found.faultsOfRun(of: source, isLate: isLate, recoded: false)
    }

    @Test func takesAWholeStreamAndOneWithoutItsEnd() {
        #expect(Self.faults { _ in } == [])
        #expect(
            Self.faults {
                $0.pictures.removeLast(3)
                $0.packets.audio.removeLast(8)
            } == []
        )
        #expect(
            Self.faults(isLate: true) {
                $0.pictures.removeFirst(25)
                $0.packets.audio.removeFirst(40)
            } == []
        )
    }

    @Test func seesWhatIsWrong() {
        let wrongs: [(inout Recording) -> Void] = [
            { $0.pictures = [] },
            { $0.pictures.remove(at: 30) },
            { $0.pictures[30].hash = "x" },
            { $0.pictures.removeLast(5) },
            { $0.pictures.removeFirst(25) },
            { $0.packets.audio = [] },
            { $0.packets.audio.remove(at: 30) },
            { $0.packets.audio.removeFirst(4) },
            { $0.packets.audio.removeLast(20) },
            { found in for index in found.packets.audio.indices { found.packets.audio[index].pts += 40 } },
            { $0.pictures[40].pts += 40 },
        ]
        for (index, wrong) in wrongs.enumerated() { #expect(Self.faults(wrong) != [], "\(index)") }
        #expect(Self.faults(isLate: true) { $0.pictures.removeFirst(10) } != [])
    }
}
