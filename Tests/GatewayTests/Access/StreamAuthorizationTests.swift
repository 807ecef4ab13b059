import NIOCore
import Testing

@testable import Gateway

@Suite struct StreamAuthorizationTests {
    private func authorization(_ configure: (inout SimpleAuthSection) -> Void = { _ in }) -> StreamAuthorization {
        var section = SimpleAuthSection()
        section.key = Secret("q191201771")
        section.dangerousLalSecret = Secret("pengrl")
        section.pubRtmpEnable = true
        section.subRtmpEnable = true
        section.subHttpflvEnable = true
        configure(&section)
        return StreamAuthorization(section)
    }

    @Test(arguments: [
        "lal_secret=700997e1595a06c9ffa60ebef79105b0", "lal_secret=700997E1595A06C9FFA60EBEF79105B0",
        "a=1&lal_secret=700997e1595a06c9ffa60ebef79105b0&b", "lal_secret=pengrl", "lal_secret=PengRL",
        "lal_secret=%70engrl",
    ])
    func lalsSecretOpensTheStream(_ query: String) {
        #expect(authorization().refusal(of: .publishRTMP, stream: "test110", query: query) == nil)
    }

    @Test(arguments: [
        ("", StreamAuthorization.Refusal.missing), ("lal_secret", .missing), ("lal_secret=", .missing),
        ("LAL_SECRET=pengrl", .missing), ("lal_secret=pengr", .wrong), ("lal_secret=pengrl2", .wrong),
        ("lal_secret=700997e1595a06c9ffa60ebef79105b1", .wrong), ("lal_secret=wrong&lal_secret=pengrl", .wrong),
        ("xlal_secret=pengrl", .missing),
    ])
    func anythingElseDoesNot(_ query: String, _ refusal: StreamAuthorization.Refusal) {
        #expect(authorization().refusal(of: .playHTTPFLV, stream: "test110", query: query) == refusal)
    }

    @Test func theSecretOfOneStreamDoesNotOpenAnother() {
        let query = "lal_secret=700997e1595a06c9ffa60ebef79105b0"
        #expect(authorization().refusal(of: .playRTMP, stream: "test111", query: query) == .wrong)
    }

    @Test("a master secret with capital letters works; in lal it never fits") func capitals() {
        let upper = authorization { $0.dangerousLalSecret = Secret("PengRL") }
        for given in ["PengRL", "pengrl", "PENGRL"] {
            #expect(upper.refusal(of: .playRTMP, stream: "x", query: "lal_secret=\(given)") == nil)
        }
    }

    @Test func withoutAMasterSecretThereIsNone() {
        let none = authorization { $0.dangerousLalSecret = Secret("") }
        #expect(none.refusal(of: .playRTMP, stream: "x", query: "lal_secret=") == .missing)
        #expect(none.refusal(of: .playRTMP, stream: "x", query: "lal_secret=%20") == .wrong)
    }

    @Test func eachProtocolHasItsSwitch() {
        let publishing = authorization {
            $0.subRtmpEnable = false
            $0.subHttpflvEnable = false
        }
        #expect(publishing.refusal(of: .publishRTMP, stream: "x", query: "") == .missing)
        #expect(publishing.refusal(of: .playRTMP, stream: "x", query: "") == nil)
        #expect(publishing.refusal(of: .playHTTPFLV, stream: "x", query: "") == nil)
    }

    @Test func refusalsTellNoSecret() {
        for refusal in [StreamAuthorization.Refusal.missing, .wrong] {
            #expect(!"\(refusal)".contains("pengrl") && !"\(refusal)".contains("700997"))
        }
    }

    @Test(arguments: [
        ("rtmp://h/live/x", "rtmp://h/live/x"),
        ("rtmp://h/live/x?lal_secret=1&a", "rtmp://h/live/x?lal_secret=***&***"),
        ("rtmp://u:p@h/live/x", "rtmp://***@h/live/x"), ("rtmp://u:p/q@h/live/x?a=b?c=d", "rtmp://***@h/live/x?a=***"),
        ("not an url", "not an url"), ("", ""), ("x?token", "x?***"), ("http://h?a=1", "http://h?a=***"),
    ])
    func redactedURLs(_ url: String, _ shown: String) {
        #expect(URLText.redacted(url) == shown)
    }

    @Test func bannedAddressesAreBannedForATime() {
        let list = AddressBlacklist()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        list.add("192.0.2.1", for: .seconds(10), now: start)
        #expect(list.contains("192.0.2.1", now: start + .seconds(9)))
        #expect(!list.contains("192.0.2.2", now: start))
        #expect(!list.contains("192.0.2.1", now: start + .seconds(10)))
    }
}
