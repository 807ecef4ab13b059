import Logging
import Testing

@testable import Gateway

@Suite struct MediaAddressCheckTests {
    @Test(
        "R-1: an address that cameras cannot send to is named at start",
        arguments: [
            ("127.0.0.1", Logger.Level.notice), ("172.17.0.2", .warning), ("0.0.0.0", .warning), ("192.168.1.10", nil),
            ("172.18.0.2", nil), ("fd00::1", nil),
        ]
    )
    func names(address: String, level: Logger.Level?) {
        var section = GB28181Section()
        section.localSipIp = address
        let finding = MediaAddressCheck(section)?.finding
        #expect(finding?.level == level)
        #expect(finding.map { $0.text.contains("gb28181.local_sip_ip \(address)") } ?? true)
        section.mediaIp = "192.0.2.7"
        #expect(MediaAddressCheck(section)?.finding == nil)
    }

    @Test func anEmptyAddressIsTakenFromTheRoute() {
        #expect(MediaAddressCheck(GB28181Section()) == nil)
    }
}
