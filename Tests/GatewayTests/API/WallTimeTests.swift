import Gateway
import Testing

@Suite struct WallTimeTests {
    @Test func fractionsLoseTheirTrailingZerosAsInGo() {
        func fraction(_ milliseconds: Int64) -> Substring {
            WallTime(unixMilliseconds: 1_795_228_384_000 + milliseconds).lal.dropFirst(19).prefix { $0 != " " }
        }
        #expect(fraction(279) == ".279")
        #expect(fraction(270) == ".27")
        #expect(fraction(200) == ".2")
        #expect(fraction(7) == ".007")
        #expect(fraction(0) == "")
    }

    @Test func theShapeIsLals() throws {
        let text = WallTime(unixMilliseconds: 1_795_228_384_279).lal
        let match = try /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.279 (Z|[+-]\d{4}) \S+/.wholeMatch(in: text)
        #expect(match != nil, "\(text)")
        #expect(WallTime(unixMilliseconds: 1_795_228_384_279).seconds == text.prefix(19))
    }

    @Test func timesBeforeTheEpochDoNotTrap() {
        #expect(WallTime(unixMilliseconds: -1).lal.contains("59:59.999"))
        _ = WallTime(unixMilliseconds: .min).lal
        _ = WallTime(unixMilliseconds: .max).lal
    }
}
