import Media
import Streaming
import Testing

@Suite struct HEVCPreferenceTests {
    @Test(arguments: [
        ("/live/a.flv", "Lavf/62.3.100", FLVHEVCFormat.enhanced),
        ("/live/a.flv", "VLC/4.0.0 LibVLC/4.0.0", .enhanced),
        ("/live/a.flv", "Mozilla/5.0 (X11; Linux x86_64)", .legacy),
        ("/live/a.flv", "", .legacy),
        ("/live/a.flv?hevc=enhanced", "Mozilla/5.0", .enhanced),
        ("/live/a.flv?hevc=legacy&x=1", "Lavf/62.3.100", .legacy),
    ])
    func followsTheURLThenTheAgent(target: String, agent: String, expected: FLVHEVCFormat) throws {
        #expect(try HTTPStreamRequest(target: target).hevcFormat(userAgent: agent) == expected)
    }
}
