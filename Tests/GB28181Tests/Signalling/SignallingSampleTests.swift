import Foundation
import NIOCore
import SIP
import Testing

@testable import GB28181

private let samples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "shared/samples/sip"
    )

@Suite(
    "Signalling: captured messages",
    .enabled(if: FileManager.default.fileExists(atPath: samples.path), "shared/samples/sip is not here")
)
struct SignallingSampleTests {
    private func core(password: String) -> SignallingCore {
        var configuration = SignallingConfiguration(platformID: "34010000002000000001", domain: "3401000000")
        configuration.password = password
        return SignallingCore(
            configuration: configuration,
            random: SignallingRandom(state: 2),
            clock: WallClock(unixMilliseconds: 0, at: start)
        )
    }

    private func answer(_ core: inout SignallingCore, _ name: String) throws -> Int? {
        let message = try SIPMessage.parse(Array(try Data(contentsOf: samples.appending(path: name))))
        let device = flow(5060, host: "192.168.230.100")
        for case .send(let bytes, let to) in core.receive(message, from: device, now: start) {
            guard case .response(let response) = try SIPMessage.parse(bytes) else { continue }
            #expect(to == device)
            #expect(response.headers.callID == message.headers.callID)
            return response.status
        }
        return nil
    }

    @Test("each request of the captures gets the answer that it should")
    func answersCaptures() throws {
        var core = core(password: "12345678")
        var expected: [(String, Int?)] = [
            ("sol_register_digest/007_MESSAGE.sip", 403),
            ("sol_register_digest/003_REGISTER.sip", 401),
            // Right passwords over nonces that are not ours.
            ("sol_register_digest/005_REGISTER.sip", 401),
            ("sol_register_digest/001_REGISTER.sip", 401),
            ("sol_invite_catalog/001_BYE.sip", 481),
            ("sol_invite_catalog/003_INVITE.sip", 488),
        ]
        for (name, status) in expected {
            let answered = try answer(&core, name)
            #expect(answered == status, "\(name)")
        }
        core = self.core(password: "")
        expected = [
            ("sol_register_digest/003_REGISTER.sip", 200),
            ("sol_register_digest/007_MESSAGE.sip", 200),
            ("sol_invite_catalog/009_MESSAGE.sip", 200),
            ("sol_invite_catalog/011_MESSAGE.sip", 200),
            ("sol_invite_catalog/002_200.sip", nil),
            ("sol_register_digest/001_REGISTER.sip", 200),
        ]
        for (name, status) in expected {
            let answered = try answer(&core, name)
            #expect(answered == status, "\(name)")
        }
        let device = core.device("34010000001310000001")
        #expect(device?.channels.first?.name == "Camera01")
        #expect(device?.statistics.keepalives == 2)
        #expect(device?.isOnline == false, "the last one says goodbye")
    }
}
