import Foundation
import SIP
import Testing

private let samples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "shared/samples/sip")

private func sampleFiles() -> [URL] {
    guard let walker = FileManager.default.enumerator(at: samples, includingPropertiesForKeys: nil) else { return [] }
    return walker.compactMap { $0 as? URL }.filter { $0.pathExtension == "sip" }.sorted { $0.path < $1.path }
}

@Suite("Captured messages", .enabled(if: !sampleFiles().isEmpty, "shared/samples/sip is not here"))
struct SampleTests {
    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: samples.appending(path: name)))
    }

    @Test("every one is read, and survives being written and read again")
    func readsAll() throws {
        var count = 0
        for file in sampleFiles() where !file.lastPathComponent.hasPrefix("GbInvite") {
            let bytes = Array(try Data(contentsOf: file))
            let message = try SIPMessage.parse(bytes)
            #expect(message.headers.cseq != nil, "\(file.lastPathComponent)")
            #expect(message.headers.topVia?.branch != nil, "\(file.lastPathComponent)")
            let again = try SIPMessage.parse(message.encoded())
            #expect(again.body == message.body, "\(file.lastPathComponent)")
            count += 1
        }
        #expect(count >= 29)
    }

    @Test("several messages in one TCP segment, at every split")
    func framesAll() throws {
        for (name, bodies) in [
            ("srs_utest/SipSmallMessagesInOneBuffer.sip", ["", ""]),
            ("srs_utest/SipSmallMessagesWithBody.sip", ["HelloWorld", "HelloServer"]),
        ] {
            let bytes = try bytes(name)
            for split in bytes.indices {
                var framer = SIPStreamFramer()
                let events = try framer.receive(Array(bytes[..<split])) + framer.receive(Array(bytes[split...]))
                let read = events.compactMap { if case .message(let message) = $0 { message.body } else { nil } }
                #expect(read == bodies.map { Array($0.utf8) }, "\(name) at \(split)")
            }
        }
    }

    @Test("a body in front of its header is stepped over")
    func skipsLeadingBody() throws {
        var framer = SIPStreamFramer()
        let events = try framer.receive(try bytes("srs_utest/GbInviteRequest.sip"))
        #expect(
            events.contains {
                if case .message(.request(let request)) = $0 { request.method == .invite } else { false }
            }
        )
    }
}
