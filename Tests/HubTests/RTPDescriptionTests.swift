import Media
import NIOCore
import Testing

@testable import Hub

struct RTPDescriptionTests {
    @Test("15: the next DESCRIBE has the parameter sets that have changed in the stream")
    func describesWhatHasChanged() throws {
        let fixture = HubFixture()
        let publisher = try fixture.publish()
        publisher.receive(fixture.camera.start)
        let before = try describe(fixture)
        var parameters = fixture.camera.parameters
        parameters.pps = [[0x68, 2]]
        publisher.receive(.video(parameters))
        let after = try describe(fixture)
        // base64 of 68 01 and of 68 02.
        #expect(before.media[0].formats[0].fmtp?.contains("aAE=") == true)
        #expect(after.media[0].formats[0].fmtp?.contains("aAI=") == true)
        #expect(after.isCompatible(with: before))
        publisher.finish()
    }

    private func describe(_ fixture: HubFixture) throws -> StreamDescription {
        let session = fixture.hub.makeSession(.rtspViewer, .viewer)
        let reservation = try fixture.hub.reserve("door", app: "live", session: session, on: fixture.loop)
        var result: Result<RTPOffer, ViewerReservation.Failure>?
        reservation.describe(within: .seconds(1)) { result = $0 }
        reservation.cancel()
        return try #require(result).get().description
    }
}
