import GB28181
import NIOCore
import Testing

struct MANSCDPCatalogAssemblyTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func part(_ ids: [Int], of sumNum: Int?) -> CatalogPart {
        CatalogPart(sn: 7, deviceID: "d", sumNum: sumNum, items: ids.map { CatalogItem(deviceID: "\($0)") })
    }

    private func assembly() -> CatalogAssembly {
        CatalogAssembly(sn: 7, deviceID: "d", now: start)
    }

    @Test("R-28: shuffled and duplicated parts complete the catalog", arguments: 0..<20)
    func completesWithShuffledAndDuplicatedParts(seed: UInt64) {
        var random = SplitMix(state: seed)
        let parts = (0..<140).map { part([$0], of: 140) }
        let shuffled = (parts + parts.shuffled(using: &random).prefix(30)).shuffled(using: &random)
        var assembly = assembly()
        var outcomes: [CatalogAssembly.Progress] = []
        for part in shuffled { outcomes.append(assembly.receive(part, now: start)) }
        guard let complete = outcomes.first(where: { $0 != .pending }), case .complete(let catalog) = complete else {
            return #expect(Bool(false))
        }
        #expect(Set(catalog.items.map(\.deviceID)) == Set((0..<140).map(String.init)))
        #expect(catalog.isComplete)
        #expect(assembly.deadline == nil)
        #expect(assembly.duplicates == 30)
    }

    @Test("R-28: a lost part gives the others after three idle seconds, and completes later")
    func publishesWhatCameWhenAPartIsLost() {
        var assembly = assembly()
        #expect(assembly.receive(part([1, 2], of: 5), now: start) == .pending)
        #expect(assembly.receive(part([5], of: 5), now: start + .seconds(1)) == .pending)
        #expect(assembly.deadline == start + .seconds(4))
        #expect(assembly.advance(to: start + .milliseconds(3999)) == .pending)
        guard case .partial(let catalog) = assembly.advance(to: start + .seconds(4)) else {
            return #expect(Bool(false))
        }
        #expect(catalog.items.map(\.deviceID) == ["1", "2", "5"])
        #expect(!catalog.isComplete)
        // Published once, not again while nothing new comes.
        #expect(assembly.advance(to: start + .seconds(10)) == .pending)
        guard case .complete(let whole) = assembly.receive(part([3, 4], of: 5), now: start + .seconds(11)) else {
            return #expect(Bool(false))
        }
        #expect(whole.items.count == 5)
    }

    @Test func aRepeatedPartIsNoProgress() {
        var assembly = assembly()
        _ = assembly.receive(part([1], of: 3), now: start)
        _ = assembly.receive(part([1], of: 3), now: start + .seconds(2))
        guard case .partial = assembly.advance(to: start + .seconds(3)) else { return #expect(Bool(false)) }
    }

    @Test func endsAfterAMinuteWhenItStaysIncomplete() {
        var assembly = assembly()
        _ = assembly.receive(part([1], of: 3), now: start)
        _ = assembly.advance(to: start + .seconds(3))
        #expect(assembly.deadline == start + .seconds(60))
        guard case .expired(let catalog) = assembly.advance(to: start + .seconds(60)) else {
            return #expect(Bool(false))
        }
        #expect(catalog?.items.count == 1)
        #expect(assembly.deadline == nil)
    }

    @Test func givesLargeCatalogsMoreTime() {
        var assembly = assembly()
        for index in 0..<100 {
            _ = assembly.receive(part([index], of: 1000), now: start + .seconds(Int64(index)))
            #expect(assembly.advance(to: start + .seconds(Int64(index))) == .pending)
        }
        #expect(assembly.count == 100)
    }

    @Test func endsEmptyWhenTheDeviceHasNothing() {
        var assembly = assembly()
        let empty = CatalogAssembly.Catalog(items: [], sumNum: 0, isComplete: true)
        #expect(assembly.receive(part([], of: 0), now: start) == .complete(empty))
    }

    @Test func endsWithoutACatalogWhenNoAnswerComes() {
        var assembly = assembly()
        #expect(assembly.advance(to: start + .seconds(14)) == .pending)
        #expect(assembly.advance(to: start + .seconds(15)) == .expired(nil))
    }

    @Test func takesTheItemsAsTheSumWhenTheDeviceGivesNone() {
        var assembly = assembly()
        guard case .complete(let catalog) = assembly.receive(part([1, 2], of: nil), now: start) else {
            return #expect(Bool(false))
        }
        #expect(catalog.items.count == 2)
    }

    @Test func aLiarsSumReservesNothing() {
        var assembly = assembly()
        #expect(assembly.receive(part([1], of: .max), now: start) == .pending)
        #expect(assembly.advance(to: start + .seconds(3)) != .pending)
        #expect(assembly.deadline != nil)
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
